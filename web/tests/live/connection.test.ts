import { beforeEach, describe, expect, test } from "vitest";
import { Connection, type Link } from "../../src/live/connection.ts";
import type { ServerMessage } from "../../src/live/messages.ts";
import { aHeartbeat } from "../support/messages.ts";
import { settle, World } from "../support/world.ts";

let world: World;
let connection: Connection;
let links: Link[];
let heard: ServerMessage[];

beforeEach(() => {
  world = new World();
  links = [];
  heard = [];
  connection = new Connection(world, {
    opened: () => connection.send({ op: "subscribe", channel: "network" }),
    heard: (message) => heard.push(message),
    link: (link) => links.push(link),
  });
});

async function connected() {
  connection.connect();
  return world.accept();
}

describe("a connection", () => {
  test("takes a ticket first and offers it with the socket", async () => {
    const socket = await connected();
    expect(world.asked).toBe(1);
    expect(socket.ticket).toBe("t1");
    expect(connection.link.phase).toBe("open");
    expect(socket.said).toEqual([{ op: "subscribe", channel: "network" }]);
  });

  test("takes a fresh ticket for each socket", async () => {
    const first = await connected();
    first.events.closed(1012);
    await world.pass(20_000);
    expect(world.sockets.map((socket) => socket.ticket)).toEqual(["t1", "t2"]);
  });

  test.each([1000, 1001, 1006, 1012, 1013, 4000, 4401, 4408, 4413, 4429, 4499])(
    "comes back after close code %i",
    async (code) => {
      const socket = await connected();
      socket.events.closed(code);
      expect(connection.link).toMatchObject({ phase: "waiting", code });
      await world.pass(20_000);
      expect(world.sockets).toHaveLength(2);
    },
  );

  test.each([
    [4501, "key_refused"],
    [4503, "revoked"],
    [4504, "limit"],
    [4510, "protocol"],
    [4999, "protocol"],
  ])("stays away after close code %i, and says why", async (code, refusal) => {
    const socket = await connected();
    socket.events.closed(code);
    await world.pass(600_000);
    expect(world.sockets).toHaveLength(1);
    expect(connection.link).toMatchObject({ phase: "refused", refusal, code });
  });

  test("waits longer after each failure in a row, and never beyond a quarter of a minute", async () => {
    world.tickets = [{ fault: "network" }];
    connection.connect();
    await settle();
    const gaps: number[] = [];
    for (let asked = 1; asked <= 8; asked++) {
      const from = world.steady;
      while (world.asked === asked) await world.pass(50);
      gaps.push(world.steady - from);
    }
    expect(gaps).toEqual([...gaps].sort((a, b) => a - b));
    expect(gaps[0]).toBeLessThanOrEqual(500);
    expect(gaps.at(-1)).toBeLessThanOrEqual(15_000);
    expect(gaps.at(-1)).toBeGreaterThan(7_000);
  });

  test("waits as long as the server asks it to", async () => {
    world.tickets = [{ fault: "server", code: 503, retryAfterMs: 30_000 }];
    connection.connect();
    await world.pass(29_000);
    expect(world.asked).toBe(1);
    await world.pass(2_000);
    expect(world.asked).toBe(2);
  });

  test("begins with short pauses again after a connection that held", async () => {
    world.tickets = [...Array(6).fill({ fault: "network" }), { ticket: "t" }];
    connection.connect();
    await world.pass(60_000);
    const socket = await world.accept();
    await world.pass(11_000);
    socket.events.closed(1012);
    await world.pass(500);
    expect(world.sockets).toHaveLength(2);
  });

  test("keeps its long pauses when each connection breaks at once", async () => {
    connection.connect();
    for (let i = 0; i < 6; i++) {
      (await world.accept()).events.closed(1006);
      await world.pass(15_000);
    }
    (await world.accept()).events.closed(1006);
    const before = world.asked;
    await world.pass(5_000);
    expect(world.asked).toBe(before);
  });

  test("gives a socket up that has been silent for over 20 s", async () => {
    const socket = await connected();
    await world.pass(20_000);
    connection.tick();
    expect(socket.closed).toBe(false);
    await world.pass(1_000);
    expect(connection.hearing).toBe(false);
    connection.tick();
    expect(socket.closed).toBe(true);
    expect(connection.link).toMatchObject({ phase: "waiting", fault: "network" });
  });

  test("stays as long as anything is heard", async () => {
    const socket = await connected();
    for (let i = 0; i < 10; i++) {
      await world.pass(15_000);
      socket.hear(aHeartbeat());
      connection.tick();
    }
    expect(socket.closed).toBe(false);
    expect(heard).toHaveLength(10);
  });

  test("notices the silence of a machine that slept", async () => {
    const socket = await connected();
    world.wall += 3_600_000;
    connection.tick();
    expect(socket.closed).toBe(true);
  });

  test("gives up a handshake that nobody answers", async () => {
    connection.connect();
    await settle();
    await world.pass(11_000);
    connection.tick();
    expect(world.socket.closed).toBe(true);
    expect(connection.link.phase).toBe("waiting");
  });

  test("does not hear a socket that it has given up", async () => {
    const socket = await connected();
    connection.hangUp("network");
    socket.hear(aHeartbeat());
    socket.events.closed(4503);
    expect(heard).toEqual([]);
    expect(connection.link).toMatchObject({ phase: "waiting", refusal: undefined });
  });

  test("hears nothing of a message that this build does not know", async () => {
    const socket = await connected();
    socket.events.heard('{"op":"weather","rain":true}');
    socket.events.heard("[1]");
    expect(heard).toEqual([]);
    expect(connection.link.phase).toBe("open");
  });

  test("hangs up on what is not JSON", async () => {
    const socket = await connected();
    socket.events.heard("<html>");
    expect(connection.link).toMatchObject({ phase: "waiting", fault: "server" });
  });

  test("connects once when it is told to twice", async () => {
    connection.connect();
    connection.connect();
    await settle();
    expect(world.sockets).toHaveLength(1);
  });

  test("leaves nothing behind when it stops", async () => {
    const socket = await connected();
    socket.events.closed(1006);
    connection.stop();
    expect(world.waiting).toBe(0);
  });
});

describe("the reason why there is no socket", () => {
  test("is the network where nothing answers", async () => {
    world.tickets = [{ fault: "network" }];
    connection.connect();
    await settle();
    expect(connection.link.fault).toBe("network");
  });

  test("is the server where a ticket is not given", async () => {
    world.tickets = [{ fault: "server", code: 503 }];
    connection.connect();
    await settle();
    expect(connection.link).toMatchObject({ fault: "server", code: 503 });
  });

  test("is the server where a good ticket is turned away", async () => {
    connection.connect();
    await settle();
    world.socket.events.closed(1006);
    expect(connection.link.fault).toBe("server");
  });

  test("is the network where an open socket breaks", async () => {
    (await connected()).events.closed(1006);
    expect(connection.link.fault).toBe("network");
  });

  test("stays on screen while the next attempt is under way", async () => {
    world.tickets = [{ fault: "server", code: 503 }, { ticket: "t" }];
    connection.connect();
    await settle();
    await world.pass(500);
    expect(connection.link).toMatchObject({ phase: "connecting", fault: "server" });
    await world.accept();
    expect(connection.link).toMatchObject({ phase: "open", fault: undefined, code: undefined });
  });

  test("is a missing key where the server wants one", async () => {
    world.tickets = [{ refusal: "key_missing", code: 401 }];
    connection.connect();
    await world.pass(600_000);
    expect(world.asked).toBe(1);
    expect(connection.link).toMatchObject({ phase: "refused", refusal: "key_missing" });
  });
});
