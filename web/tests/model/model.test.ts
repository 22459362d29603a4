import { describe, expect, test } from "vitest";
import type { KindState, NetworkState } from "../../src/generated/live.ts";
import { layoutOf, tidyGrid } from "../../src/layouts/index.ts";
import { networkAlarms, regionAlarms } from "../../src/model/alarms.ts";
import { lastHours, scaleMarks, sumOf } from "../../src/model/hours.ts";
import { appPanels, kindPanel } from "../../src/model/kinds.ts";
import { feedLines } from "../../src/model/latest.ts";
import { regionCards } from "../../src/model/network.ts";
import { places, roundCeiling } from "../../src/model/places.ts";
import { largestServices } from "../../src/model/services.ts";
import { sourceLines, sourceName } from "../../src/model/sources.ts";
import { Speech } from "../../src/words/speech.ts";
import { aRegionState, iso, START } from "../support/messages.ts";

const speech = new Speech("id", "Asia/Jakarta");

function aKind(part: Partial<KindState> = {}): KindState {
  return { open: 0, overdue: 0, by_state: {}, by_service: {}, by_area: {}, today: {}, ...part };
}

describe("panels of numbers", () => {
  test("come in the order of the seed's apps and of the table's kinds", () => {
    const panels = appPanels(
      {
        siapkerja: { application: aKind(), vacancy: aKind(), seeker: aKind() },
        absensi: { transaction: aKind() },
        laksa: { report: aKind() },
      },
      "id",
    );
    expect(panels.map(({ name, kinds }) => [name, ...kinds.map((kind) => kind.id)])).toEqual([
      ["LAKSA", "laksa-report"],
      ["Siap Kerja", "siapkerja-seeker", "siapkerja-vacancy", "siapkerja-application"],
      ["Absensi", "absensi-transaction"],
    ]);
  });

  test("show a nought for what the wire leaves out", () => {
    const panel = kindPanel("laksa", "report", aKind({ today: { opened: 2 } }), "id");
    expect(panel.today).toEqual({
      opened: 2,
      first_responded: 0,
      closed: 0,
      resolved: 0,
      reopened: 0,
    });
  });

  test("split the open cases by state in the order of a case's way, without closed ones", () => {
    const by_state = { on_hold: 1, resolved: 90, received: 4, in_progress: 2 };
    const { segments } = kindPanel("laksa", "report", aKind({ open: 7, by_state }), "id");
    expect(segments.map(({ state, count, paused }) => [state, count, paused])).toEqual([
      ["received", 4, false],
      ["in_progress", 2, false],
      ["on_hold", 1, true],
    ]);
  });

  test("keep a state's tone when others come and go", () => {
    const tone = (by_state: KindState["by_state"]) => {
      const { segments } = kindPanel("laksa", "report", aKind({ open: 9, by_state }), "id");
      return segments.find(({ state }) => state === "assigned")?.tone;
    };
    expect(tone({ assigned: 9 })).toBe(tone({ received: 4, referred: 1, assigned: 4 }));
  });

  test("keep open cases of a state that this build does not know", () => {
    const kind = aKind({ open: 5, by_state: { received: 3, teleported: 2 } });
    const { segments } = kindPanel("laksa", "report", kind, "id");
    expect(segments.at(-1)).toMatchObject({ label: "lainnya", count: 2 });
  });
});

describe("places", () => {
  const names = { "36.71.05": "Cipondoh", "36.71.08": "Periuk", "36.71.13": "Larangan" };

  test("sum over all apps and add up with those that have none", () => {
    const apps = {
      laksa: { report: aKind({ open: 10, by_area: { "36.71.05": 6, "36.71.08": 1 } }) },
      perizinan: { application: aKind({ open: 4, by_area: { "36.71.05": 3 } }) },
    };
    const { tiles, total, placeless, apps: split } = places("36.71", apps, names);
    expect(tiles.map(({ name, open, parts }) => [name, open, parts])).toEqual([
      ["Cipondoh", 9, [6, 3]],
      ["Periuk", 1, [1, 0]],
      ["Larangan", 0, [0, 0]],
    ]);
    expect(split).toEqual(["laksa", "perizinan"]);
    expect([total, placeless]).toEqual([14, 4]);
  });

  test("stand by neighbourhood where the region has a layout", () => {
    const { tiles, layout } = places("36.71", {}, names);
    expect(layout.hole).toBeDefined();
    expect(tiles.find((tile) => tile.name === "Periuk")).toMatchObject({ column: 2, row: 1 });
  });

  test("fall back to a grid when a kecamatan is new", () => {
    const { layout, tiles } = places("36.71", {}, { ...names, "36.71.14": "Baru" });
    expect(tiles.map(({ column, row }) => [column, row])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
    ]);
    expect(layout.hole?.row).toBe("2 / -1");
  });

  test("show a code whose name is not known", () => {
    const apps = { laksa: { report: aKind({ open: 1, by_area: { "33.28.01": 1 } }) } };
    expect(places("33.28", apps, {}).tiles.map((tile) => tile.name)).toEqual(["33.28.01"]);
  });

  test.each([0, 1, 2, 13, 18, 23, 30, 47])(
    "have a grid in which %i tiles each have their own cell",
    (n) => {
      const areas = Array.from({ length: n }, (_, i) => `33.28.${String(i + 1).padStart(2, "0")}`);
      const { columns, rows, tiles } = tidyGrid(areas);
      const cells = new Set(Object.values(tiles).map(([column, row]) => `${column}/${row}`));
      expect(cells.size).toBe(n);
      expect(Object.values(tiles).every(([c, r]) => c <= columns && r <= rows)).toBe(true);
    },
  );

  test("of Kota Tangerang are all thirteen, each in its own cell, and none in the hole", () => {
    const areas = Array.from({ length: 13 }, (_, i) => `36.71.${String(i + 1).padStart(2, "0")}`);
    const layout = layoutOf("36.71", areas);
    const cells = areas.map((area) => layout.tiles[area] as readonly [number, number]);
    expect(new Set(cells.map(String)).size).toBe(13);
    expect(cells.filter(([column, row]) => column < 4 && row >= 3)).toEqual([]);
  });

  test.each([
    [0, 10],
    [7, 10],
    [10, 10],
    [11, 15],
    [63, 80],
    [100, 100],
    [101, 150],
    [4321, 5000],
    [999_999, 1_000_000],
  ])("are shaded on a scale that for %i ends at %i", (most, ceiling) => {
    expect(roundCeiling(most)).toBe(ceiling);
  });
});

describe("the last day", () => {
  test("is 24 hours that end with the one in which the picture was current", () => {
    const hours = lastHours(aRegionState().hours, START);
    expect(hours).toHaveLength(24);
    expect(hours.at(-1)).toEqual({
      start: Date.parse("2026-11-21T07:00:00Z"),
      opened: 3,
      closed: 0,
    });
    expect(hours.at(-2)).toMatchObject({ opened: 9, closed: 4 });
    expect(hours[0]?.start).toBe(Date.parse("2026-11-20T08:00:00Z"));
  });

  test("sums to what the document tells", () => {
    const hours = lastHours(aRegionState().hours, START);
    expect([sumOf(hours, "opened"), sumOf(hours, "closed")]).toEqual([12, 4]);
  });

  test("does not break on an instant that cannot be read", () => {
    expect(lastHours(aRegionState().hours, Number.NaN).at(-1)?.opened).toBe(3);
    expect(lastHours({ soon: { opened: 1 } }, Number.NaN)).toHaveLength(24);
  });

  test.each([
    [0, [0, 1, 2]],
    [3, [0, 1, 2, 3]],
    [26, [0, 10, 20, 30]],
    [36, [0, 10, 20, 30, 40]],
    [1000, [0, 500, 1000]],
  ])("has for %i a scale of %j", (most, marks) => {
    expect(scaleMarks(most)).toEqual(marks);
  });
});

describe("the feed", () => {
  const areas = { "36.71.08": "Periuk" };
  const line = (type: string, part = {}) => ({
    type: `id.go.tangerangkota.${type}.v1`,
    app: "laksa",
    time: iso(START),
    ...part,
  });
  const one = (entry: ReturnType<typeof line>) =>
    feedLines({ latest: { "1": entry }, day: "2026-11-21" }, areas, speech)[0];

  test("has the newest first, by number and not by name", () => {
    const latest = {
      "9": line("laksa.report.rated"),
      "10": line("laksa.report.rated"),
      "8": line("x.y.z"),
    };
    const lines = feedLines({ latest, day: "2026-11-21" }, areas, speech);
    expect(lines.map(({ seq }) => seq)).toEqual(["10", "9", "8"]);
  });

  test("tells time, service, kecamatan and state in words", () => {
    const part = { service: "jalan-berlubang", area: "36.71.08.1003", state: "received" };
    expect(one(line("laksa.report.submitted", part))).toMatchObject({
      time: "14.07",
      date: undefined,
      title: "Jalan berlubang",
      place: "Periuk",
      app: "LAKSA",
      tag: "Menunggu",
      outcome: "open",
    });
  });

  test("marks what ended well apart from what ended", () => {
    expect(one(line("laksa.report.resolved", { state: "resolved" }))?.outcome).toBe("success");
    expect(one(line("laksa.report.rejected", { state: "rejected" }))?.outcome).toBe("closed");
  });

  test("says the date of an event of another day", () => {
    const late = one(line("laksa.report.resolved", { time: "2026-11-19T23:30:00Z" }));
    expect(late).toMatchObject({ time: "06.30", date: "20 Nov" });
  });

  test.each([
    ["laksa.report.rated", "Pengaduan", "dinilai"],
    ["app.heartbeat", "Tanda aplikasi", "detak"],
    ["app.outage_opened", "Tanda aplikasi", "gangguan"],
  ])("has words for %s", (type, title, tag) => {
    expect(one(line(type))).toMatchObject({ title, tag, outcome: undefined });
  });

  test("shows a type that nobody knows as it is, and its unseen letters", () => {
    const odd = { ...line("x"), type: "com.example.\u202ethings" };
    expect(one(odd)).toMatchObject({ title: "com.example.⟨U+202E⟩things", tag: "lain" });
  });
});

describe("services", () => {
  test("are ranked by open cases, without the sum of the rest", () => {
    const apps = {
      laksa: { report: aKind({ by_service: { jalan: 5, sampah: 9, _rest: 99 } }) },
      perizinan: { application: aKind({ by_service: { jalan: 6 } }) },
    };
    const lines = largestServices(apps, 2);
    expect(lines.map(({ key, open }) => [key, open])).toEqual([
      ["laksa/sampah", 9],
      ["perizinan/jalan", 6],
    ]);
  });
});

describe("sources", () => {
  test("that need a look come first", () => {
    const source = (status: "live" | "silent" | "never") => ({ status, today: 0 });
    const lines = sourceLines({ a: source("live"), b: source("never"), c: source("silent") });
    expect(lines.map(({ urn }) => urn)).toEqual(["c", "b", "a"]);
  });

  test.each([
    ["urn:pemda:36.71:laksa", "LAKSA"],
    ["urn:pemda:36.71:laksa:kantor-2", "LAKSA kantor-2"],
    ["urn:pemda:36.71:absensi-pns", "Absensi pns"],
    ["https://example.id/x", "https://example.id/x"],
    ["urn:pemda:36.71:laksa:a\u2067b", "LAKSA a⟨U+2067⟩b"],
  ])("named %s are shown as %s", (urn, name) => {
    expect(sourceName(urn)).toBe(name);
  });
});

describe("what needs a person", () => {
  const silent = (minutes: number) =>
    ({ status: "silent", today: 0, last_event_at: iso(START - minutes * 60_000) }) as const;

  test("is nothing when sources are heard and nothing is late", () => {
    const apps = { laksa: { report: aKind({ open: 5 }) } };
    const never = { status: "never", today: 0 } as const;
    const state = aRegionState({ apps, sources: { "urn:pemda:36.71:laksa": never } });
    expect(regionAlarms(state, START, speech)).toEqual([]);
  });

  test("is a silent source, with how long", () => {
    const state = aRegionState({ apps: {}, sources: { "urn:pemda:36.71:perizinan": silent(47) } });
    expect(regionAlarms(state, START, speech)).toMatchObject([
      { sign: "silent", subject: "Perizinan Online", rest: "diam 47 menit" },
    ]);
  });

  test("is what is overdue, by kind", () => {
    expect(regionAlarms(aRegionState(), START, speech)).toMatchObject([
      { sign: "overdue", subject: "14 pengaduan LAKSA lewat tenggat" },
    ]);
  });

  test("is summed where there is too much for one line", () => {
    const sources = { a: silent(1), b: silent(2), c: silent(3) };
    const late = aKind({ overdue: 5 });
    const apps = { laksa: { report: late }, siapkerja: { seeker: late, vacancy: late } };
    const alarms = regionAlarms(aRegionState({ apps, sources }), START, speech);
    expect(alarms.map(({ subject }) => subject)).toEqual([
      "3 sumber diam",
      "15 kasus lewat tenggat",
    ]);
  });
});

describe("the network", () => {
  const line = (open: number, overdue: number, sources_silent: number) => ({
    name: "x",
    open,
    overdue,
    today: {},
    sources_silent,
    seq: 1,
  });
  const state = (regions: NetworkState["regions"]): NetworkState => ({
    regions,
    totals: {
      regions: 1,
      open: 0,
      today: {},
      overdue: Object.values(regions).reduce((n, region) => n + region.overdue, 0),
      sources_silent: Object.values(regions).reduce((n, region) => n + region.sources_silent, 0),
    },
  });

  test("shows regions with silent sources first, then overdue, then backlog", () => {
    const cards = regionCards({
      "36.71": line(900, 0, 0),
      "33.28": line(1, 3, 0),
      "14.05": line(1, 0, 1),
      "13.74": line(10, 0, 0),
    });
    expect(cards.map(({ code }) => code)).toEqual(["14.05", "33.28", "36.71", "13.74"]);
  });

  test("does not swap two like regions at every case", () => {
    const order = (a: number, b: number) =>
      regionCards({ "13.74": line(a, 0, 0), "14.05": line(b, 0, 0) }).map(({ code }) => code);
    expect(order(40, 41)).toEqual(order(41, 40));
    expect(order(5, 500)).toEqual(["14.05", "13.74"]);
  });

  test("says which regions need a person", () => {
    const regions = {
      "36.03": { ...line(1, 2, 1), name: "Kabupaten Tangerang" },
      "13.74": { ...line(1, 9, 0), name: "Kota Padang Panjang" },
    };
    expect(networkAlarms(state(regions), speech)).toMatchObject([
      { subject: "1 sumber diam", rest: "Kab. Tangerang" },
      { subject: "11 kasus lewat tenggat", rest: "Kota Padang Panjang, Kab. Tangerang" },
    ]);
    expect(networkAlarms(state({ "13.74": line(5, 0, 0) }), speech)).toEqual([]);
  });
});
