/**
 * The server's clock, estimated from what it says, so that a wrong clock in the wall box
 * (off by a day, or stepped by NTP) changes neither the time shown nor the age of the picture.
 */

/** Two clocks of this machine in ms: one that never steps, one that counts through sleep. */
export interface LocalClocks {
  steady(): number;
  wall(): number;
}

export const browserClocks: LocalClocks = {
  steady: () => performance.now(),
  wall: () => Date.now(),
};

/** An instant on both local clocks, from which time that has passed can be told. */
export interface Mark {
  readonly steady: number;
  readonly wall: number;
}

export function markOf(clocks: LocalClocks): Mark {
  return { steady: clocks.steady(), wall: clocks.wall() };
}

/**
 * Returns the ms that have passed since `mark`.
 *
 * The steady clock of some systems stands still while the machine sleeps and the wall clock
 * does not, so the larger one counts: too old a picture dims, too young a one would lie.
 */
export function since(mark: Mark, clocks: LocalClocks): number {
  return Math.max(clocks.steady() - mark.steady, clocks.wall() - mark.wall, 0);
}

/** Enough to outlast a burst of late frames, few enough to follow a server's clock that steps. */
const SAMPLES = 8;

interface Sample {
  readonly serverTime: number;
  readonly mark: Mark;
}

export class ServerClock {
  readonly #clocks: LocalClocks;
  #samples: Sample[] = [];

  constructor(clocks: LocalClocks = browserClocks) {
    this.#clocks = clocks;
  }

  /** Forgets what was heard before: a new connection may be to another server. */
  restart(serverTime: string): void {
    this.#samples = [];
    this.hear(serverTime);
  }

  hear(serverTime: string): void {
    const instant = Date.parse(serverTime);
    if (Number.isNaN(instant)) return;
    const sample = { serverTime: instant, mark: markOf(this.#clocks) };
    this.#samples = [sample, ...this.#samples].slice(0, SAMPLES);
  }

  /**
   * Returns the server's time in ms since 1970, or nothing before it has said any.
   *
   * A frame can arrive late but never early, so the largest estimate is the nearest one.
   */
  now(): number | undefined {
    if (this.#samples.length === 0) return undefined;
    return Math.max(...this.#samples.map((s) => s.serverTime + since(s.mark, this.#clocks)));
  }
}
