/** A made-up picture of Kota Tangerang and of the network, to draw against without a server. */
import type {
  KindState,
  LatestLine,
  NetworkLine,
  NetworkState,
  RegionState,
} from "../src/generated/live.ts";

const PREFIX = "id.go.tangerangkota";

export const AREAS: Record<string, Record<string, string>> = {
  "36.71": {
    "36.71.01": "Tangerang",
    "36.71.02": "Jatiuwung",
    "36.71.03": "Batuceper",
    "36.71.04": "Benda",
    "36.71.05": "Cipondoh",
    "36.71.06": "Ciledug",
    "36.71.07": "Karawaci",
    "36.71.08": "Periuk",
    "36.71.09": "Cibodas",
    "36.71.10": "Neglasari",
    "36.71.11": "Pinang",
    "36.71.12": "Karang Tengah",
    "36.71.13": "Larangan",
  },
  "13.74": { "13.74.01": "Padang Panjang Barat", "13.74.02": "Padang Panjang Timur" },
  "32.13": Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [
      `32.13.${String(i + 1).padStart(2, "0")}`,
      ["Pagaden Barat", "Cipeundeuy", "Sukasari", "Jalancagak", "Tanjungsiang"][i % 5] as string,
    ]),
  ),
};

export const NAMES: Record<string, [name: string, level: "kota" | "kabupaten"]> = {
  "36.71": ["Kota Tangerang", "kota"],
  "33.28": ["Kabupaten Tegal", "kabupaten"],
  "14.05": ["Kabupaten Pelalawan", "kabupaten"],
  "32.13": ["Kabupaten Subang", "kabupaten"],
  "36.03": ["Kabupaten Tangerang", "kabupaten"],
  "13.74": ["Kota Padang Panjang", "kota"],
  "32.16": ["Kabupaten Bekasi", "kabupaten"],
  "32.15": ["Kabupaten Karawang", "kabupaten"],
};

const OPEN = [35, 22, 14, 11, 52, 24, 41, 63, 27, 18, 30, 16, 19];

function spread(areas: string[], counts: readonly number[]): Record<string, number> {
  return Object.fromEntries(areas.map((area, i) => [area, counts[i % counts.length] as number]));
}

function kind(part: Partial<KindState>): KindState {
  return { open: 0, overdue: 0, by_state: {}, by_service: {}, by_area: {}, today: {}, ...part };
}

export function hourKey(instant: number): string {
  return new Date(instant).toISOString().replace(/:.*/, ":00:00Z");
}

export function regionState(code: string, now: number): RegionState {
  const [name, level] = NAMES[code] as [string, "kota" | "kabupaten"];
  const areas = Object.keys(AREAS[code] ?? {});
  return {
    region: { code, name, level, timezone: "Asia/Jakarta" },
    day: new Date(now + 7 * 3_600_000).toISOString().slice(0, 10),
    demo: true,
    apps: {
      laksa: {
        report: kind({
          open: 372,
          overdue: 14,
          by_state: {
            received: 64,
            verified: 30,
            referred: 18,
            assigned: 80,
            in_progress: 150,
            on_hold: 18,
            reopened: 12,
            resolved: 8120,
            rejected: 211,
          },
          by_service: {
            jalan: 77,
            sampah: 52,
            genangan: 48,
            drainase: 41,
            lampu: 33,
            pohon: 18,
            "air-bersih": 12,
          },
          by_area: spread(areas, OPEN),
          today: { opened: 96, first_responded: 71, closed: 81, resolved: 74, reopened: 3 },
        }),
      },
      perizinan: {
        application: kind({
          open: 208,
          by_state: {
            submitted: 40,
            document_check: 61,
            returned: 29,
            technical_review: 44,
            payment_due: 18,
            approved: 16,
            issued: 2204,
          },
          by_service: { "usaha-mikro": 68, pbg: 55, reklame: 39, "praktik-nakes": 28, siup: 18 },
          by_area: spread(areas, [12, 9, 17, 22, 8]),
          today: { opened: 31, first_responded: 40, closed: 29, resolved: 27 },
        }),
      },
      siapkerja: {
        seeker: kind({
          open: 1140,
          by_state: { registered: 300, verified: 200, active: 640, placed: 411 },
          by_service: { ak1: 140 },
          by_area: spread(areas, [30, 15, 20, 8, 12]),
          today: { opened: 42, first_responded: 38, closed: 9, resolved: 9 },
        }),
        vacancy: kind({
          open: 318,
          by_state: { posted: 318, filled: 90 },
          today: { opened: 12, closed: 4, resolved: 3 },
        }),
        application: kind({
          open: 86,
          by_state: { applied: 50, shortlisted: 26, interviewed: 10, hired: 70 },
          today: { opened: 21, closed: 15, resolved: 6 },
        }),
      },
    },
    events_today: { laksa: 612, perizinan: 203, siapkerja: 167 },
    hours: hours(now),
    sources: {
      [`urn:pemda:${code}:laksa`]: { status: "live", today: 612, last_event_at: iso(now - 4_000) },
      [`urn:pemda:${code}:perizinan`]: {
        status: "silent",
        today: 203,
        last_event_at: iso(now - 47 * 60_000),
      },
      [`urn:pemda:${code}:siapkerja`]: {
        status: "live",
        today: 167,
        last_event_at: iso(now - 65_000),
      },
      [`urn:pemda:${code}:egov:absensi`]: { status: "never", today: 0 },
    },
    latest: latest(code, areas, now),
  };
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}

const USUAL = [3, 2, 2, 1, 2, 4, 9, 16, 22, 24, 22, 19, 17, 18, 20, 19, 15, 12, 11, 10, 9, 8, 6, 4];

function hours(now: number): RegionState["hours"] {
  return Object.fromEntries(
    Array.from({ length: 24 }, (_, i) => {
      const start = now - (23 - i) * 3_600_000;
      const local = (new Date(start).getUTCHours() + 7) % 24;
      const usual = USUAL[local] as number;
      const flood = local >= 2 && local <= 4 ? 18 : 0;
      const part = i === 23 ? 0.4 : 1;
      return [
        hourKey(start),
        {
          opened: Math.round((usual * (0.85 + ((i * 7) % 5) / 12) + flood) * part),
          closed: Math.round(usual * (0.6 + ((i * 3) % 4) / 7) * part),
        },
      ];
    }),
  );
}

const FEED: [app: string, type: string, service: string, area: number, state: string][] = [
  ["laksa", "laksa.report.submitted", "jalan", 8, "received"],
  ["laksa", "laksa.report.submitted", "genangan", 8, "received"],
  ["laksa", "laksa.report.resolved", "lampu", 11, "resolved"],
  ["perizinan", "perizinan.application.issued", "usaha-mikro", 5, "issued"],
  ["laksa", "laksa.report.assigned", "genangan", 8, "assigned"],
  ["laksa", "laksa.report.progressed", "sampah", 7, "in_progress"],
  ["siapkerja", "siapkerja.seeker.card_issued", "ak1", 4, "active"],
  ["laksa", "laksa.report.referred", "drainase", 6, "referred"],
  ["siapkerja", "siapkerja.vacancy.posted", "", 0, "posted"],
  ["perizinan", "perizinan.application.returned", "pbg", 12, "returned"],
];

export function feedLine(i: number, areas: string[], at: number): LatestLine {
  const [app, type, service, area, state] = FEED[i % FEED.length] as (typeof FEED)[number];
  const code = areas[(area - 1) % Math.max(1, areas.length)];
  return {
    app,
    type: `${PREFIX}.${type}.v1`,
    time: iso(at),
    state,
    ...(service && { service }),
    ...(area > 0 && code !== undefined && { area: code }),
  };
}

function latest(code: string, areas: string[], now: number): RegionState["latest"] {
  const newest = code === "36.71" ? 48_210 : 900;
  return Object.fromEntries(
    FEED.map((_, i) => [String(newest - i), feedLine(i, areas, now - i * 24_000)]),
  );
}

export function networkState(): NetworkState {
  const rows: [
    open: number,
    overdue: number,
    opened: number,
    closed: number,
    silent: number,
    seq: number,
  ][] = [
    [2124, 14, 202, 138, 1, 48_210],
    [412, 0, 61, 58, 0, 9_120],
    [38, 2, 7, 9, 0, 1_204],
    [226, 41, 30, 12, 0, 5_310],
    [903, 9, 117, 96, 2, 20_044],
    [21, 0, 4, 6, 0, 733],
    [640, 0, 88, 91, 0, 14_500],
    [0, 0, 0, 0, 0, 0],
  ];
  const regions = Object.fromEntries(
    Object.keys(NAMES).map((code, i) => {
      const [open, overdue, opened, closed, sources_silent, seq] = rows[i] as (typeof rows)[number];
      const name = (NAMES[code] as [string, string])[0];
      const today =
        seq === 0 ? {} : { opened, first_responded: opened - 1, closed, resolved: closed };
      return [code, { name, open, overdue, today, sources_silent, seq }];
    }),
  );
  return { regions, totals: totalsOf(regions), demo: true };
}

export function totalsOf(regions: Record<string, NetworkLine>): NetworkState["totals"] {
  const lines = Object.values(regions);
  const sum = (of: (line: NetworkLine) => number) => lines.reduce((n, line) => n + of(line), 0);
  return {
    regions: lines.length,
    open: sum((line) => line.open),
    overdue: sum((line) => line.overdue),
    today: {
      opened: sum((line) => line.today.opened ?? 0),
      first_responded: sum((line) => line.today.first_responded ?? 0),
      closed: sum((line) => line.today.closed ?? 0),
      resolved: sum((line) => line.today.resolved ?? 0),
    },
    sources_silent: sum((line) => line.sources_silent),
  };
}
