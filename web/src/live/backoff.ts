/** Pauses between attempts to connect. */

/** A restart takes about a second: the first attempt soon, so that few walls ever dim for one. */
const FIRST_MS = 500;
/** A wall that comes back within a quarter of a minute needs nobody to press anything. */
const LONGEST_MS = 15_000;

/**
 * Returns the pause in ms before attempt `n` (from 0): doubling, and a random half taken off,
 * so that all walls of a city do not knock at the same instant when the server is back.
 *
 * @param random a number in [0, 1)
 * @param atLeast what the server asked for (`Retry-After`), in ms
 */
export function pause(n: number, random: number, atLeast = 0): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(n, 10));
  return Math.max(atLeast, ceiling * (0.5 + random / 2));
}
