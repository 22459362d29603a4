import { beforeEach, describe, expect, test } from "vitest";
import { Feed } from "../../src/live/feed.ts";
import { aDelta, aHeartbeat, aSnapshot, CHANNEL, iso, START } from "../support/messages.ts";
import { type FakeSocket, World } from "../support/world.ts";

let world: World;
let feed: Feed<{ n: number }>;
let stop: () => void;

beforeEach(() => {
  world = new World();
  feed = new Feed(CHANNEL, world);
  stop = feed.start();
  return () => stop();
});

const hello = (at = START) =>
  ({ op: "hello", server_time: iso(at), heartbeat_s: 15, resume_window_s: 3600 }) as const;

async function shown(): Promise<FakeSocket> {
  const socket = await world.accept();
  socket.hear(hello(), aSnapshot());
  return socket;
}

describe("a feed", () => {
  test("shows the first picture and its age", async () => {
    await shown();
    await world.pass(2_020);
    expect(feed.picture.value?.state.n).toBe(1);
    expect(feed.age.value?.ms).toBeCloseTo(2_000, -2);
    expect(feed.age.value?.stale).toBeUndefined();
  });

  test("dims for the projector while heartbeats still come", async () => {
    const socket = await shown();
    await world.pass(15_000);
    socket.hear(aHeartbeat({}, START + 15_000));
    await world.pass(6_500);
    expect(feed.age.value?.stale).toBe("projector");
  });

  test("dims for the network when the socket falls silent, and keeps the picture", async () => {
    await shown();
    world.tickets = [{ fault: "network" }];
    await world.pass(23_000);
    expect(feed.age.value?.stale).toBe("network");
    expect(feed.picture.value?.state.n).toBe(1);
  });

  test("blames the network from the first moment when the socket is silent", async () => {
    await shown();
    await world.pass(20_500);
    expect(feed.age.value?.stale).toBe("network");
  });

  test("dims for the server when it gives no tickets", async () => {
    const socket = await shown();
    world.tickets = [{ fault: "server", code: 503 }];
    socket.events.closed(1012);
    await world.pass(22_000);
    expect(feed.age.value?.stale).toBe("server");
  });

  test("does not dim for a short break", async () => {
    const socket = await shown();
    socket.events.closed(1012);
    await world.pass(1_000);
    expect(feed.age.value?.stale).toBeUndefined();
  });

  test("recovers by itself from where it stood, to the exact picture", async () => {
    const socket = await shown();
    world.tickets = [{ fault: "network" }];
    socket.events.closed(1006);
    await world.pass(60_000);
    expect(feed.age.value?.stale).toBe("network");
    world.tickets = [];
    await world.pass(15_000);
    const again = await world.accept();
    const now = START + 75_000;
    expect(again.said).toEqual([
      { op: "subscribe", channel: CHANNEL, position: { epoch: "e1", rev: 1 } },
    ]);
    again.hear(hello(now), { op: "resumed", channel: CHANNEL, epoch: "e1", rev: 1 });
    again.hear(aDelta({ rev: 40, patch: { n: 7 }, current_at: iso(now) }));
    expect(feed.picture.value).toMatchObject({ rev: 40, state: { n: 7 } });
    expect(feed.age.value).toMatchObject({ ms: 0, stale: undefined });
  });

  test("asks anew on the same socket when a heartbeat tells of what it missed", async () => {
    const socket = await shown();
    socket.hear(aHeartbeat({ rev: 3 }));
    expect(socket.said.at(-1)).toMatchObject({ op: "subscribe", position: { rev: 1 } });
    expect(world.sockets).toHaveLength(1);
  });

  test("asks again on a new socket when a subscription is not answered", async () => {
    const socket = await world.accept();
    socket.hear(hello());
    await world.pass(14_000);
    socket.hear(aHeartbeat());
    await world.pass(20_000);
    expect(socket.closed).toBe(true);
    expect(world.sockets.length).toBeGreaterThan(1);
  });

  test("offers the server's reason where a subscription is declined", async () => {
    const socket = await world.accept();
    const problem = {
      type: "x",
      title: "No such region",
      status: 404,
      detail: "",
      retryable: false,
    };
    socket.hear(hello(), { op: "problem", problem });
    expect(feed.problem.value?.status).toBe(404);
  });

  test("shows the server's time, not this machine's", async () => {
    const socket = await world.accept();
    socket.hear(hello(START + 7_200_000));
    await world.pass(3_500);
    expect(feed.now.value).toBe(START + 7_203_000);
  });

  test("reports what was painted at most once in ten seconds", async () => {
    const socket = await shown();
    await world.pass(500);
    feed.painted(2, START);
    feed.painted(3, START + 100);
    expect(socket.said.slice(1)).toEqual([{ op: "seen", channel: CHANNEL, rev: 2, glass_ms: 500 }]);
    await world.pass(10_000);
    socket.hear(aHeartbeat());
    feed.painted(4, START + 10_000);
    expect(socket.said.at(-1)).toMatchObject({ rev: 4, glass_ms: 500 });
  });

  test("does not report an event that is older than a day", async () => {
    const socket = await shown();
    feed.painted(2, START - 90_000_000);
    expect(socket.said).toHaveLength(1);
  });

  test("leaves no timer behind when it stops", async () => {
    await shown();
    stop();
    expect(world.waiting).toBe(0);
  });
});
