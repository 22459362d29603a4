/**
 * What a client holds of one channel, as a pure function of the messages it was sent.
 *
 * No socket, no clock, no screen: the wall, a rewind and the tests feed the same function.
 */
import type {
  ChannelPosition,
  ClientMessage,
  Delta,
  Heartbeat,
  ProblemBody,
  ServerMessage,
  Snapshot,
} from "./messages.ts";
import { adopt, applyPatch, type Json } from "./patch.ts";

/** A state document, the place in the log where it stands, and how it came. */
export interface Picture<State = unknown> {
  readonly epoch: string;
  readonly rev: number;
  readonly seq: number;
  readonly head: number;
  readonly currentAt: string;
  readonly watermark: string | undefined;
  /** A picture that came whole replaces what was shown; only a change is worth a glow. */
  readonly told: "whole" | "change";
  readonly state: State;
}

export interface Channel<State = unknown> {
  readonly name: string;
  readonly picture: Picture<State> | undefined;
  /** A subscription is under way: until it is answered, nothing else about the channel counts. */
  readonly awaiting: boolean;
  /** How often in a row the server's account did not fit ours. */
  readonly doubts: number;
  readonly problem: ProblemBody | undefined;
}

/** A next state, and what is to be said to the server, or that it is better to hang up. */
export interface Step<State = unknown> {
  readonly channel: Channel<State>;
  readonly say?: ClientMessage;
  readonly hangUp?: boolean;
}

/**
 * The first misfit asks to resume, the second for the whole state; a third means that this
 * connection cannot be trusted, and a new one, after a pause, is kinder than a loop.
 */
const DOUBTS_TO_START_AFRESH = 2;
const DOUBTS_TO_HANG_UP = 3;

export function openChannel<State>(name: string): Channel<State> {
  return { name, picture: undefined, awaiting: false, doubts: 0, problem: undefined };
}

/** Returns the step with which every connection begins: go on from what is held. */
export function subscribe<State>(channel: Channel<State>): Step<State> {
  const { name, picture, doubts } = channel;
  const trusted = picture !== undefined && doubts < DOUBTS_TO_START_AFRESH;
  const position = trusted ? { position: { epoch: picture.epoch, rev: picture.rev } } : {};
  return {
    channel: { ...channel, awaiting: true, problem: undefined },
    say: { op: "subscribe", channel: name, ...position },
  };
}

export function reduce<State>(channel: Channel<State>, message: ServerMessage): Step<State> {
  switch (message.op) {
    case "snapshot":
      return message.channel === channel.name ? replaced(channel, message) : { channel };
    case "resumed":
      return message.channel === channel.name ? resumed(channel, message) : { channel };
    case "delta":
      return message.channel === channel.name ? changed(channel, message) : { channel };
    case "heartbeat":
      return confirmed(channel, message);
    case "problem":
      return { channel: { ...channel, problem: message.problem } };
    default:
      return { channel };
  }
}

function replaced<State>(channel: Channel<State>, message: Snapshot): Step<State> {
  const state = adopt(message.state as unknown as Json) as State;
  const picture: Picture<State> = { ...place(message), told: "whole", state };
  return { channel: { ...channel, picture, awaiting: false, problem: undefined } };
}

function resumed<State>(
  channel: Channel<State>,
  message: { epoch: string; rev: number },
): Step<State> {
  if (!holds(channel, message.epoch, message.rev)) return doubt(channel);
  return { channel: { ...channel, awaiting: false, problem: undefined } };
}

function changed<State>(channel: Channel<State>, message: Delta): Step<State> {
  // Deltas that were on their way when we asked anew belong to the old subscription.
  if (channel.awaiting) return { channel };
  const { picture } = channel;
  if (picture === undefined || !holds(channel, message.epoch, message.from)) return doubt(channel);
  const state = applyPatch(picture.state as Json, message.patch as Json) as State;
  const next: Picture<State> = { ...place(message), told: "change", state };
  return { channel: { ...channel, picture: next, doubts: 0 } };
}

function confirmed<State>(channel: Channel<State>, message: Heartbeat): Step<State> {
  const { picture, awaiting, name } = channel;
  if (awaiting || picture === undefined) return { channel };
  const position = Object.hasOwn(message.positions, name) ? message.positions[name] : undefined;
  // A position other than ours, or none, means that something never reached us.
  if (position === undefined || !holds(channel, position.epoch, position.rev)) {
    return doubt(channel);
  }
  const fresh = place(position);
  const currentAt = later(picture.currentAt, fresh.currentAt);
  return { channel: { ...channel, picture: { ...picture, ...fresh, currentAt }, doubts: 0 } };
}

function doubt<State>(channel: Channel<State>): Step<State> {
  const doubting = { ...channel, doubts: channel.doubts + 1 };
  if (doubting.doubts >= DOUBTS_TO_HANG_UP) return { channel: doubting, hangUp: true };
  return subscribe(doubting);
}

function holds(channel: Channel, epoch: string, rev: number): boolean {
  return channel.picture?.epoch === epoch && channel.picture.rev === rev;
}

function place(at: ChannelPosition): Omit<Picture, "told" | "state"> {
  const { epoch, rev, seq, head, current_at: currentAt, watermark } = at;
  return { epoch, rev, seq, head, currentAt, watermark };
}

/** The picture was current at the later instant, whichever process told of the earlier one. */
function later(a: string, b: string): string {
  return Date.parse(b) < Date.parse(a) ? a : b;
}
