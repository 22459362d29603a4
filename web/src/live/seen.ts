/** Tells the server now and then how long an event took to reach this glass. */
import { type LocalClocks, type Mark, markOf, since } from "./clock.ts";
import type { ClientMessage } from "./messages.ts";

/** Often enough for a p99 over an hour, too rare for a storm of frames to make a storm of answers. */
const APART_MS = 10_000;
/** The contract's bound: a day. What is older is a late event, not a slow screen. */
const LONGEST_MS = 86_400_000;

export class SeenReports {
  readonly #clocks: LocalClocks;
  #last: Mark | undefined;

  constructor(clocks: LocalClocks) {
    this.#clocks = clocks;
  }

  /**
   * Returns the message for a rev that has just been painted, or nothing if it is too soon.
   *
   * @param eventTime the newest event in the picture, in ms; only one that is new with this rev
   */
  report(channel: string, rev: number, eventTime: number, now: number): ClientMessage | undefined {
    if (this.#last !== undefined && since(this.#last, this.#clocks) < APART_MS) return undefined;
    const glass = Math.max(0, now - eventTime);
    if (!(glass <= LONGEST_MS)) return undefined;
    this.#last = markOf(this.#clocks);
    return { op: "seen", channel, rev, glass_ms: Math.round(glass) };
  }
}
