import { describe, expect, test } from "vitest";
import type { ServerMessage } from "../../src/generated/live.ts";
import { type Channel, openChannel, reduce, type Step, subscribe } from "../../src/live/channel.ts";
import { canonical, difference, type Json, type JsonObject } from "../../src/live/patch.ts";
import { aDelta, aHeartbeat, aPlace, aSnapshot, CHANNEL, iso, START } from "../support/messages.ts";
import { changed, Dice, document, SEEDS } from "../support/random.ts";

const fresh = () => subscribe(openChannel<JsonObject>(CHANNEL)).channel;
const held = () => reduce(fresh(), aSnapshot()).channel;

function told(channel: Channel<JsonObject>, ...messages: ServerMessage[]): Step<JsonObject> {
  return messages.reduce<Step<JsonObject>>((step, message) => reduce(step.channel, message), {
    channel,
  });
}

describe("a channel", () => {
  test("asks for everything when it holds nothing", () => {
    const { say, channel } = subscribe(openChannel(CHANNEL));
    expect(say).toEqual({ op: "subscribe", channel: CHANNEL });
    expect(channel.awaiting).toBe(true);
  });

  test("asks to go on from what it holds", () => {
    expect(subscribe(held()).say).toEqual({
      op: "subscribe",
      channel: CHANNEL,
      position: { epoch: "e1", rev: 1 },
    });
  });

  test("takes a snapshot whole, whatever it held", () => {
    const snapshot = aSnapshot({ epoch: "e2", rev: 1, reason: "epoch", state: { m: 5 } as never });
    const { picture } = told(held(), aDelta(), snapshot).channel;
    expect(picture).toMatchObject({ epoch: "e2", rev: 1, told: "whole" });
    expect(canonical(picture?.state as Json)).toBe('{"m":5}');
  });

  test("applies a delta that begins where it stands", () => {
    const later = iso(START + 2000);
    const delta = aDelta({ seq: 12, head: 13, current_at: later, watermark: iso(START) });
    const { picture } = told(held(), delta).channel;
    expect(picture).toMatchObject({ rev: 2, seq: 12, head: 13, currentAt: later, told: "change" });
    expect(canonical(picture?.state as Json)).toBe('{"n":2}');
  });

  test("applies one difference over many revs", () => {
    const { picture } = told(held(), aDelta({ rev: 80, coalesced: 79 })).channel;
    expect(picture?.rev).toBe(80);
  });

  test.each([
    ["begins later", aDelta({ from: 2, rev: 3 })],
    ["begins earlier", aDelta({ from: 0, rev: 2 })],
    ["belongs to another epoch", aDelta({ epoch: "e2" })],
  ])("does not apply a delta that %s, and asks to resume", (_, delta) => {
    const { channel, say } = told(held(), delta);
    expect(channel.picture?.rev).toBe(1);
    expect(channel.awaiting).toBe(true);
    expect(say).toMatchObject({ op: "subscribe", position: { epoch: "e1", rev: 1 } });
  });

  test("leaves deltas of the old subscription aside while it waits for the answer", () => {
    const { channel, say } = told(held(), aDelta({ from: 5, rev: 6 }), aDelta());
    expect(channel.picture?.rev).toBe(1);
    expect(say).toBeUndefined();
  });

  test("goes on when it is resumed where it stood", () => {
    const asking = told(held(), aDelta({ from: 5, rev: 6 })).channel;
    const resumed = { op: "resumed", channel: CHANNEL, epoch: "e1", rev: 1 } as const;
    const { channel } = told(asking, resumed, aDelta({ rev: 6 }));
    expect(channel).toMatchObject({ awaiting: false, doubts: 0, picture: { rev: 6 } });
  });

  test("asks for everything when it is resumed elsewhere", () => {
    const resumed = { op: "resumed", channel: CHANNEL, epoch: "e1", rev: 4 } as const;
    const asking = told(held(), aDelta({ from: 5, rev: 6 })).channel;
    expect(told(asking, resumed).say).toEqual({ op: "subscribe", channel: CHANNEL });
  });

  test("hangs up on a server whose account never fits", () => {
    const wrong = aDelta({ from: 7, rev: 8 });
    const step = told(held(), wrong, aSnapshot(), wrong, aSnapshot(), wrong);
    expect(step.hangUp).toBe(true);
    expect(subscribe(step.channel).say).toEqual({ op: "subscribe", channel: CHANNEL });
  });

  test("keeps its picture while it asks anew", () => {
    expect(canonical(told(held(), aDelta({ from: 9 })).channel.picture?.state as Json)).toBe(
      '{"n":1}',
    );
  });

  test("ignores other channels' messages", () => {
    const before = held();
    expect(told(before, aDelta({ channel: "network" })).channel).toBe(before);
    expect(told(before, aSnapshot({ channel: "network" })).channel).toBe(before);
  });
});

describe("a heartbeat", () => {
  test("freshens the picture that is held without changing its state", () => {
    const before = held();
    const beat = aHeartbeat({ current_at: iso(START + 15_000), head: 11, watermark: iso(START) });
    const { picture } = told(before, beat).channel;
    expect(picture).toMatchObject({ rev: 1, head: 11, currentAt: iso(START + 15_000) });
    expect(picture?.state).toBe(before.picture?.state);
  });

  test("never makes the picture older", () => {
    const beat = aHeartbeat({ current_at: iso(START - 60_000) });
    expect(told(held(), beat).channel.picture?.currentAt).toBe(iso(START));
  });

  test.each([
    ["ahead of ours", aHeartbeat({ rev: 2 })],
    ["behind ours", aHeartbeat({ rev: 0 })],
    ["of another epoch", aHeartbeat({ epoch: "e2" })],
    ["missing", { ...aHeartbeat(), positions: {} }],
    ["of another channel alone", { ...aHeartbeat(), positions: { network: aPlace() } }],
  ])("whose position is %s makes the channel ask to resume", (_, beat) => {
    const { channel, say } = told(held(), beat);
    expect(say).toMatchObject({ op: "subscribe", position: { epoch: "e1", rev: 1 } });
    expect(channel.picture?.currentAt).toBe(iso(START));
  });

  test("says nothing about a channel that is still being asked for", () => {
    expect(told(fresh(), aHeartbeat({ rev: 9 })).say).toBeUndefined();
  });
});

test("a problem is kept until the channel is answered", () => {
  const problem = { type: "x", title: "No such region", status: 404, detail: "", retryable: false };
  const refused = told(fresh(), { op: "problem", problem }).channel;
  expect(refused.problem).toEqual(problem);
  expect(told(refused, aSnapshot()).channel.problem).toBeUndefined();
});

/** A server with its frame log, and a line to the client that loses, repeats and reorders. */
class Server {
  readonly states: JsonObject[];
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
    this.states = [document(dice)];
  }

  get rev(): number {
    return this.states.length;
  }

  publish(): void {
    this.states.push(changed(this.#dice, this.states.at(-1) as JsonObject));
  }

  answer(position: { epoch: string; rev: number } | undefined): ServerMessage[] {
    const state = structuredClone({ ...this.at(this.rev) }) as never;
    if (position === undefined || this.#dice.chance(0.2)) {
      return [aSnapshot({ rev: this.rev, state: JSON.parse(JSON.stringify(state)) })];
    }
    const resumed: ServerMessage = { op: "resumed", channel: CHANNEL, ...position };
    return position.rev === this.rev ? [resumed] : [resumed, this.delta(position.rev)];
  }

  delta(from: number, to = this.rev): ServerMessage {
    const patch = difference(this.at(from), this.at(to));
    return aDelta({ from, rev: to, patch: JSON.parse(JSON.stringify(patch)) });
  }

  heartbeat(rev: number): ServerMessage {
    return aHeartbeat({ rev });
  }

  at(rev: number): JsonObject {
    return this.states[rev - 1] as JsonObject;
  }
}

test.each(SEEDS)(
  "over a line that loses and repeats, every picture is the server's at that rev (seed %i)",
  (seed) => {
    const dice = new Dice(seed);
    const server = new Server(dice);
    let line: ServerMessage[] = [];
    let sent = 1;
    let channel = openChannel<JsonObject>(CHANNEL);
    const take = (step: Step<JsonObject>) => {
      channel = step.channel;
      const said = step.hangUp ? subscribe(channel).say : step.say;
      if (step.hangUp) channel = subscribe(channel).channel;
      if (said?.op === "subscribe") {
        line = [...line, ...server.answer(said.position)];
        sent = server.rev;
      }
    };
    take(subscribe(channel));
    for (let i = 0; i < 60; i++) {
      if (dice.chance(0.6)) server.publish();
      if (dice.chance(0.5) && sent < server.rev) {
        line.push(server.delta(sent));
        sent = server.rev;
      }
      if (dice.chance(0.15)) line.push(server.heartbeat(sent));
      if (line.length > 1 && dice.chance(0.08)) line.splice(dice.below(line.length), 1);
      if (line.length > 0 && dice.chance(0.05)) line.push(dice.pick(line));
      const message = line.shift();
      if (message !== undefined) take(reduce(channel, message));
      const { picture } = channel;
      if (picture !== undefined) {
        expect(canonical(picture.state)).toBe(canonical(server.at(picture.rev)));
      }
    }
    // An answer that was lost is asked for again on a new connection, and that ends the matter.
    line = [];
    take(subscribe(channel));
    while (line.length > 0) take(reduce(channel, line.shift() as ServerMessage));
    expect(channel.picture?.rev).toBe(server.rev);
    expect(canonical(channel.picture?.state as Json)).toBe(canonical(server.at(server.rev)));
  },
);
