import { describe, expect, test } from "vitest";
import { ServerClock } from "../../src/live/clock.ts";
import { iso, START } from "../support/messages.ts";

function clocks() {
  const at = { steady: 50, wall: START };
  const pass = (ms: number) => {
    at.steady += ms;
    at.wall += ms;
  };
  return { at, pass, clock: new ServerClock({ steady: () => at.steady, wall: () => at.wall }) };
}

describe("the server's clock", () => {
  test("is unknown until the server has told a time", () => {
    expect(clocks().clock.now()).toBeUndefined();
  });

  test("goes on from what the server told", () => {
    const { clock, pass } = clocks();
    clock.restart(iso(START));
    pass(1_500);
    expect(clock.now()).toBe(START + 1_500);
  });

  test("does not care that this machine is wrong by a day", () => {
    const { clock, at, pass } = clocks();
    at.wall -= 86_400_000;
    clock.restart(iso(START));
    pass(3_000);
    expect(clock.now()).toBe(START + 3_000);
  });

  test("does not go back when this machine's clock does", () => {
    const { clock, at, pass } = clocks();
    clock.restart(iso(START));
    pass(1_000);
    at.wall -= 3_600_000;
    expect(clock.now()).toBe(START + 1_000);
  });

  test("counts the time that the machine slept", () => {
    const { clock, at } = clocks();
    clock.restart(iso(START));
    at.wall += 3_600_000;
    expect(clock.now()).toBe(START + 3_600_000);
  });

  test("believes the message that came with the least delay", () => {
    const { clock, pass } = clocks();
    clock.restart(iso(START));
    pass(15_000);
    // Told at 10 s, heard 5 s later: a busy tab, not a slow clock.
    clock.hear(iso(START + 10_000));
    expect(clock.now()).toBe(START + 15_000);
  });

  test("follows a server whose clock was set back, after a few heartbeats", () => {
    const { clock, pass } = clocks();
    clock.restart(iso(START));
    for (let i = 1; i <= 8; i++) {
      pass(15_000);
      clock.hear(iso(START - 60_000 + i * 15_000));
    }
    expect(clock.now()).toBe(START - 60_000 + 8 * 15_000);
  });

  test("follows another server at once", () => {
    const { clock } = clocks();
    clock.restart(iso(START));
    clock.restart(iso(START - 3_600_000));
    expect(clock.now()).toBe(START - 3_600_000);
  });

  test("ignores a time that cannot be read", () => {
    const { clock } = clocks();
    clock.restart("yesterday");
    expect(clock.now()).toBeUndefined();
  });
});
