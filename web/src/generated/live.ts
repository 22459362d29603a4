// Made from schemas/live.json by `npm run types`: change the server's models instead.

export type ServerMessage = Hello | Snapshot | Resumed | Delta | Heartbeat | ProblemMessage;
export type ClientMessage = Subscribe | Unsubscribe | Seen;

export interface LiveMessages {
  server: ServerMessage;
  client: ClientMessage;
  ticket: TicketOut;
}
/**
 * The first message of a connection.
 */
export interface Hello {
  op: "hello";
  server_time: string;
  heartbeat_s: number;
  resume_window_s: number;
}
/**
 * The whole state of a channel, and why it is sent whole.
 */
export interface Snapshot {
  epoch: string;
  rev: number;
  seq: number;
  head: number;
  current_at: string;
  watermark?: string;
  op: "snapshot";
  channel: string;
  reason: "initial" | "expired" | "epoch" | "unknown" | "behind";
  state: RegionState | NetworkState;
}
/**
 * The state of one region. Absent members are unknown; none is ever null.
 */
export interface RegionState {
  region: RegionHead;
  day: string;
  demo?: boolean;
  apps: {
    [k: string]: {
      [k: string]: KindState;
    };
  };
  events_today: {
    [k: string]: number;
  };
  hours: {
    [k: string]: HourFlows;
  };
  sources: {
    [k: string]: SourceState;
  };
  latest: {
    [k: string]: LatestLine;
  };
}
/**
 * Which region a state belongs to.
 */
export interface RegionHead {
  code: string;
  name: string;
  timezone: string;
  level: "kota" | "kabupaten";
}
/**
 * The cases of one kind; ``by_state`` counts all, the other maps the open ones.
 */
export interface KindState {
  open: number;
  overdue: number;
  by_state: {
    [k: string]: number;
  };
  by_service: {
    [k: string]: number;
  };
  by_area: {
    [k: string]: number;
  };
  today: Flows;
}
/**
 * What happened to cases in a span of time; what did not happen is left out.
 */
export interface Flows {
  opened?: number;
  first_responded?: number;
  closed?: number;
  resolved?: number;
  reopened?: number;
}
/**
 * What was opened and closed in one hour, over all apps.
 */
export interface HourFlows {
  opened?: number;
  closed?: number;
}
/**
 * Whether a source is heard; ``today`` counts its events by receipt.
 */
export interface SourceState {
  status: "live" | "silent" | "never";
  today: number;
  last_event_at?: string;
}
/**
 * One line of the feed; no free text.
 */
export interface LatestLine {
  type: string;
  app: string;
  time: string;
  case_id?: string;
  service?: string;
  area?: string;
  state?: string;
}
/**
 * The state of the network: a line per region code, and the totals.
 */
export interface NetworkState {
  regions: {
    [k: string]: NetworkLine;
  };
  totals: NetworkTotals;
  demo?: boolean;
}
/**
 * One region as the network sees it.
 */
export interface NetworkLine {
  name: string;
  open: number;
  overdue: number;
  today: Flows;
  sources_silent: number;
  seq: number;
}
/**
 * Sums over all regions.
 */
export interface NetworkTotals {
  regions: number;
  open: number;
  overdue: number;
  today: Flows;
  sources_silent: number;
}
/**
 * The client's position holds; what it missed follows as deltas.
 */
export interface Resumed {
  op: "resumed";
  channel: string;
  epoch: string;
  rev: number;
}
/**
 * A merge patch from the rev that the client has (``from``) to ``rev``.
 *
 * ``coalesced`` says how many revs the patch spans where it is more than one.
 */
export interface Delta {
  epoch: string;
  rev: number;
  seq: number;
  head: number;
  current_at: string;
  watermark?: string;
  op: "delta";
  channel: string;
  from: number;
  patch: {
    [k: string]: unknown;
  };
  coalesced?: number;
}
/**
 * Sent every ``heartbeat_s``: where each subscribed channel stands for this client.
 */
export interface Heartbeat {
  op: "heartbeat";
  server_time: string;
  positions: {
    [k: string]: ChannelPosition;
  };
}
/**
 * A place in a channel; ``watermark`` is absent while nothing was folded.
 */
export interface ChannelPosition {
  epoch: string;
  rev: number;
  seq: number;
  head: number;
  current_at: string;
  watermark?: string;
}
/**
 * Tells what was wrong with a message; the connection goes on.
 */
export interface ProblemMessage {
  op: "problem";
  problem: ProblemBody;
}
/**
 * A problem document (RFC 9457); further members belong to its type.
 */
export interface ProblemBody {
  type: string;
  status: number;
  detail: string;
  retryable: boolean;
  title: string;
  [k: string]: unknown;
}
/**
 * Asks for a channel, from a position or from its present state.
 */
export interface Subscribe {
  op: "subscribe";
  channel: string;
  position?: PositionIn;
}
/**
 * The place at which a client stopped.
 */
export interface PositionIn {
  epoch: string;
  rev: number;
}
/**
 * Ends a channel's messages.
 */
export interface Unsubscribe {
  op: "unsubscribe";
  channel: string;
}
/**
 * Tells that a rev is on the glass, and how long it took from the event.
 */
export interface Seen {
  op: "seen";
  channel: string;
  rev: number;
  glass_ms: number;
}
/**
 * A one-use credential for one websocket connection, for ``expires_in`` seconds.
 */
export interface TicketOut {
  ticket: string;
  expires_in: number;
}
/**
 * The answer to a reading of a channel's state, and its place in the log.
 */
export interface StateOut {
  channel: string;
  epoch: string;
  rev: number;
  seq: number;
  head: number;
  current_at: string;
  watermark?: string;
  state: RegionState | NetworkState;
}
