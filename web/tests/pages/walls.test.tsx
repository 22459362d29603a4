// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { App } from "../../src/App.tsx";
import type { NetworkState, RegionState } from "../../src/generated/live.ts";
import {
  aDelta,
  aHeartbeat,
  aPlace,
  aRegionState,
  aSnapshot,
  iso,
  START,
} from "../support/messages.ts";
import { settle, World } from "../support/world.ts";

let world: World;
let root: HTMLElement;
let answers: Record<string, () => Response>;

const ENTRY = { name: "Kota Tangerang", areas: { "36.71.05": "Cipondoh", "36.71.08": "Periuk" } };

beforeEach(() => {
  world = new World();
  root = document.createElement("div");
  document.body.append(root);
  answers = { "/v1/regions/36.71": () => Response.json(ENTRY) };
  vi.stubGlobal("fetch", async (path: string) => {
    const answer = answers[path];
    if (answer === undefined) return Response.json({ title: "No such region" }, { status: 404 });
    return answer();
  });
});

afterEach(() => {
  render(null, root);
  root.remove();
  vi.unstubAllGlobals();
  localStorage.clear();
  for (const name of Object.keys(document.documentElement.dataset)) {
    delete document.documentElement.dataset[name];
  }
});

async function open(pathname: string, search = ""): Promise<void> {
  await act(async () => {
    render(<App address={{ pathname, search }} io={world} />, root);
  });
  // Effects have run only now: what they asked for is answered in a second turn.
  await act(settle);
}

async function hear(...messages: Parameters<typeof world.socket.hear>): Promise<void> {
  await act(async () => {
    world.socket.hear(...messages);
    await settle();
  });
}

async function pass(ms: number): Promise<void> {
  await act(() => world.pass(ms));
}

const part = (id: string) => root.querySelector(`[data-testid="${id}"]`);
const text = (id: string) => part(id)?.textContent;
const hello = (at = START) =>
  ({ op: "hello", server_time: iso(at), heartbeat_s: 15, resume_window_s: 3600 }) as const;
const nextFrame = () => act(() => new Promise<void>((done) => requestAnimationFrame(() => done())));

async function enter(key: string): Promise<void> {
  await act(async () => {
    const input = part("access-key") as HTMLInputElement;
    input.value = key;
    input.form?.dispatchEvent(new Event("submit", { cancelable: true, bubbles: true }));
    await settle();
  });
}

async function shown(state: RegionState = aRegionState(), search = ""): Promise<void> {
  await open("/wall/36.71", search);
  await act(() => world.accept().then(() => undefined));
  await hear(hello(), aSnapshot({ state }));
}

describe("a region's wall", () => {
  test("shows the numbers of each app and kind", async () => {
    await shown();
    expect(text("open-laksa-report")).toBe("1.140");
    expect(text("overdue-laksa-report")).toBe("14");
    expect(text("opened-today-laksa-report")).toBe("96");
    expect(text("closed-today-laksa-report")).toBe("81");
    expect(text("first-responded-today-laksa-report")).toBe("71");
    expect(text("title")).toBe("Kota Tangerang");
  });

  test("shows places, feed, sources, clock and age", async () => {
    await shown();
    expect(text("tile-36.71.05")).toContain("Cipondoh");
    expect(text("tile-count-36.71.05")).toBe("52");
    expect(text("placeless")).toBe("1.025 tanpa kecamatan");
    expect(text("feed-9")).toContain("Jalan");
    expect(text("feed-9")).toContain("Periuk");
    expect(text("feed-9")).toContain("Menunggu");
    expect(part("source-urn:pemda:36.71:laksa")?.getAttribute("data-status")).toBe("live");
    expect(text("events-today")).toBe("612 kejadian hari ini");
    expect(text("clock")).toBe("14.07.34");
    expect(text("age")).toBe("gambar 0 detik lalu");
    expect(part("stale")).toBeNull();
  });

  test("changes with a delta, and only what changed glows", async () => {
    await shown();
    expect(root.querySelectorAll("[data-changed]")).toHaveLength(0);
    const patch = { apps: { laksa: { report: { open: 1141, today: { opened: 97 } } } } };
    await hear(aDelta({ patch }));
    expect(text("open-laksa-report")).toBe("1.141");
    const glowing = [...root.querySelectorAll("[data-changed]")].map((e) =>
      e.getAttribute("data-testid"),
    );
    expect(glowing.sort()).toEqual(["open-laksa-report", "opened-today-laksa-report"]);
  });

  test("does not glow for a picture that came whole", async () => {
    await shown();
    const state = aRegionState({ events_today: { laksa: 1 } });
    Object.assign(state.apps.laksa?.report as object, { open: 3 });
    await hear(aSnapshot({ rev: 9, reason: "behind", state }));
    expect(text("open-laksa-report")).toBe("3");
    expect(root.querySelectorAll("[data-changed]")).toHaveLength(0);
  });

  test("tells the position of the picture on the glass", async () => {
    await shown();
    await hear(aDelta({ rev: 2, seq: 11, patch: {} }));
    await nextFrame();
    expect(document.documentElement.dataset).toMatchObject({ epoch: "e1", rev: "2", seq: "11" });
  });

  test("says when nothing needs a person", async () => {
    const apps = { laksa: { report: { ...aRegionState().apps.laksa?.report, overdue: 0 } } };
    await shown(aRegionState({ apps: apps as RegionState["apps"] }));
    expect(part("alarm")).toBeNull();
    expect(text("alarm-none")).toContain("Tidak ada");
  });

  test("marks made-up data", async () => {
    await shown(aRegionState({ demo: true }));
    expect(text("demo")).toBe("DEMO");
    await hear(aDelta({ patch: { demo: null } }));
    expect(part("demo")).toBeNull();
  });

  test("dims, says since when and why, keeps the picture, and recovers", async () => {
    await shown();
    world.tickets = [{ fault: "network" }];
    await act(async () => world.socket.events.closed(1006));
    await pass(10_000);
    expect(part("stale")).toBeNull();
    await pass(15_000);
    expect(part("stale")?.getAttribute("data-reason")).toBe("network");
    expect(text("stale")).toContain("14.07.34 WIB");
    expect(part("region-wall")?.getAttribute("data-stale")).toBe("network");
    expect(text("open-laksa-report")).toBe("1.140");

    world.tickets = [];
    await pass(15_000);
    await act(() => world.accept().then(() => undefined));
    await hear(hello(START + 40_000), {
      op: "resumed",
      channel: "region:36.71",
      epoch: "e1",
      rev: 1,
    });
    await hear(
      aDelta({ rev: 5, current_at: iso(START + 40_000), patch: { events_today: { laksa: 700 } } }),
    );
    expect(part("stale")).toBeNull();
    expect(part("region-wall")?.hasAttribute("data-stale")).toBe(false);
    expect(text("events-today")).toBe("700 kejadian hari ini");
  });

  test("dims for the projector under a living server", async () => {
    await shown();
    await pass(15_000);
    await hear(aHeartbeat({}, START + 15_000));
    await pass(6_500);
    expect(part("stale")?.getAttribute("data-reason")).toBe("projector");
    const beat = { ...aPlace({ current_at: iso(START + 22_000) }) };
    await hear({
      op: "heartbeat",
      server_time: iso(START + 22_000),
      positions: { "region:36.71": beat },
    });
    expect(part("stale")).toBeNull();
  });

  test("speaks English when it is asked to", async () => {
    await shown(aRegionState(), "?lang=en");
    expect(text("open-laksa-report")).toBe("1,140");
    expect(text("age")).toBe("picture 0 seconds ago");
    expect(text("feed-9")).toContain("Waiting");
  });

  test("shows strings that senders chose without obeying them", async () => {
    const service = "\u202e<img src=x onerror=alert(1)>";
    const patch = JSON.parse(
      JSON.stringify({
        sources: { "urn:pemda:36.71:<b>x</b>": { status: "live", today: 1 } },
        latest: { "12": { type: "\u0007", app: "__proto__", service, time: "never" } },
        apps: { laksa: { report: { by_service: { [service]: 90_000 } } } },
        hours: { soon: { opened: 3 } },
      }),
    );
    await shown();
    await hear(aDelta({ patch }));
    expect(text("feed-12")).toContain("⟨U+202E⟩<img src=x");
    expect(root.querySelector("img, .source-name b")).toBeNull();
  });

  test("shows an empty region as empty, not as broken", async () => {
    await shown(aRegionState({ apps: {}, events_today: {}, hours: {}, sources: {}, latest: {} }));
    expect(root.textContent).toContain("Belum ada kasus di wilayah ini");
    expect(text("tile-count-36.71.05")).toBe("0");
    expect(part("broken")).toBeNull();
  });
});

describe("before the first picture", () => {
  test("the page says that it is connecting", async () => {
    await open("/wall/36.71");
    expect(text("waiting-reason")).toBe("Menyambung ke server");
  });

  test("the page says why it cannot yet", async () => {
    world.tickets = [{ fault: "server", code: 503 }];
    await open("/wall/36.71");
    expect(part("waiting-reason")?.getAttribute("data-reason")).toBe("server");
    expect(text("waiting-reason")).toContain("503");
  });

  test("an unknown region is said to be unknown", async () => {
    await open("/wall/99.99");
    expect(text("unknown-region")).toContain("99.99");
  });

  async function decline(status: number): Promise<void> {
    await open("/wall/36.71");
    await act(() => world.accept().then(() => undefined));
    const problem = { type: "x", title: "Not this one", status, detail: "", retryable: false };
    await hear(hello(), { op: "problem", problem });
  }

  test("a channel that the server declines is said to be declined", async () => {
    await decline(422);
    expect(text("declined")).toContain("Not this one");
  });

  test("a channel that the key is not for leads to another key", async () => {
    await decline(403);
    expect(text("access")).toContain("Server tidak memberikan gambar ini");
    await enter("lain");
    await act(() => world.accept().then(() => undefined));
    await hear(hello(), aSnapshot({ state: aRegionState() }));
    expect(world.sockets).toHaveLength(2);
    expect(part("region-wall")).not.toBeNull();
  });

  test("an address that is none has a page that says so", async () => {
    await open("/wall/tangerang");
    expect(part("unknown-page")).not.toBeNull();
  });
});

describe("a screen that is not a demo's", () => {
  test("asks once for its key and keeps it", async () => {
    world.tickets = [{ refusal: "key_missing", code: 401 }];
    await open("/wall/36.71");
    expect(text("access")).toContain("Layar ini memerlukan kunci akses");
    world.tickets = [];
    await enter(" rahasia ");
    await act(() => world.accept().then(() => undefined));
    await hear(hello(), aSnapshot({ state: aRegionState() }));
    expect(part("region-wall")).not.toBeNull();
    expect(localStorage.getItem("kentongan.access-key")).toBe("rahasia");
  });

  test("says that a key was refused, and asks again", async () => {
    world.tickets = [{ refusal: "key_refused", code: 401 }];
    await open("/wall/36.71");
    await enter("salah");
    expect(text("access")).toContain("Kunci akses ditolak");
  });

  test("takes the picture away when its access is revoked", async () => {
    await shown();
    await act(async () => world.socket.events.closed(4503));
    expect(part("region-wall")).toBeNull();
    expect(text("access")).toContain("Akses layar ini dicabut");
  });

  test("dims at once when it will not come back by itself", async () => {
    await shown();
    await act(async () => world.socket.events.closed(4504));
    expect(part("stale")?.getAttribute("data-reason")).toBe("server");
    expect(text("stale")).toContain("Terlalu banyak layar");
    expect(text("open-laksa-report")).toBe("1.140");
  });
});

describe("the network's wall", () => {
  const line = (name: string, open: number, sources_silent = 0) => ({
    name,
    open,
    overdue: 0,
    today: { opened: 4, closed: 1 },
    sources_silent,
    seq: 12_345,
  });
  const state: NetworkState = {
    regions: { "36.71": line("Kota Tangerang", 1140), "33.28": line("Kabupaten Tegal", 20, 1) },
    totals: {
      regions: 2,
      open: 1160,
      overdue: 0,
      today: { opened: 8, closed: 2 },
      sources_silent: 1,
    },
    demo: true,
  };

  test("shows totals and a card for each region that leads to its wall", async () => {
    await open("/wall");
    await act(() => world.accept().then(() => undefined));
    await hear(hello(), aSnapshot({ channel: "network", state }));
    expect(text("open-total")).toBe("1.160");
    expect(text("silent-total")).toBe("1");
    expect(text("region-36.71-open")).toBe("1.140");
    expect(text("region-36.71-seq")).toBe("12.345 kejadian tercatat");
    expect(part("region-33.28")?.getAttribute("href")).toBe("/wall/33.28");
    const order = [...root.querySelectorAll("a[data-testid]")].map((e) =>
      e.getAttribute("data-testid"),
    );
    expect(order).toEqual(["region-33.28", "region-36.71"]);
    expect(text("clock")).toBe("14.07.34");
  });

  test("keeps its language on the way to a region", async () => {
    await open("/wall", "?lang=en");
    await act(() => world.accept().then(() => undefined));
    await hear(hello(), aSnapshot({ channel: "network", state }));
    expect(part("region-36.71")?.getAttribute("href")).toBe("/wall/36.71?lang=en");
  });
});
