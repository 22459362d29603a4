/** Builders of server messages: one valid thing, with one thing changed. */
import type {
  ChannelPosition,
  Delta,
  Heartbeat,
  RegionState,
  Snapshot,
} from "../../src/generated/live.ts";

export const CHANNEL = "region:36.71";
export const START = Date.parse("2026-11-21T07:07:34Z");

export const iso = (instant: number): string => new Date(instant).toISOString();

export function aPlace(part: Partial<ChannelPosition> = {}): ChannelPosition {
  return { epoch: "e1", rev: 1, seq: 10, head: 10, current_at: iso(START), ...part };
}

export function aSnapshot(part: Partial<Snapshot> = {}): Snapshot {
  const state = { n: 1 } as unknown as RegionState;
  return { op: "snapshot", channel: CHANNEL, reason: "initial", state, ...aPlace(), ...part };
}

export function aDelta(part: Partial<Delta> = {}): Delta {
  return {
    op: "delta",
    channel: CHANNEL,
    from: 1,
    patch: { n: 2 },
    ...aPlace({ rev: 2 }),
    ...part,
  };
}

export function aHeartbeat(part: Partial<ChannelPosition> = {}, at = START): Heartbeat {
  return { op: "heartbeat", server_time: iso(at), positions: { [CHANNEL]: aPlace(part) } };
}

export function aRegionState(part: Partial<RegionState> = {}): RegionState {
  return {
    region: { code: "36.71", name: "Kota Tangerang", timezone: "Asia/Jakarta", level: "kota" },
    day: "2026-11-21",
    apps: {
      laksa: {
        report: {
          open: 1140,
          overdue: 14,
          by_state: { received: 640, in_progress: 480, on_hold: 20, resolved: 900 },
          by_service: { jalan: 700, "air-bersih": 440 },
          by_area: { "36.71.05": 52, "36.71.08": 63 },
          today: { opened: 96, first_responded: 71, closed: 81, resolved: 74 },
        },
      },
    },
    events_today: { laksa: 612 },
    hours: {
      "2026-11-21T07:00:00Z": { opened: 3 },
      "2026-11-21T06:00:00Z": { opened: 9, closed: 4 },
    },
    sources: {
      "urn:pemda:36.71:laksa": { status: "live", today: 612, last_event_at: iso(START - 4000) },
    },
    latest: {
      "9": {
        type: "id.go.tangerangkota.laksa.report.submitted.v1",
        app: "laksa",
        service: "jalan",
        area: "36.71.08",
        state: "received",
        time: iso(START - 60_000),
      },
    },
    ...part,
  };
}
