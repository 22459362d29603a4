/** Seeded randomness, so that a failing case can be had again by its seed. */
import type { Json, JsonObject } from "../../src/live/patch.ts";

export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A number in [0, 1) (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  chance(p: number): boolean {
    return this.next() < p;
  }
}

/** Names that senders could choose, those among them that objects inherit. */
const KEYS = ["a", "b", "jalan", "__proto__", "constructor", "toString", "", "🚧", "01", "1"];
const LEAVES: Json[] = [0, 1, -3, 1.5, true, false, "", "x", "__proto__", "é"];

/** A document as the contract has them: no null, no arrays. */
export function document(dice: Dice, depth = 3): JsonObject {
  const result = Object.create(null) as JsonObject;
  for (const key of KEYS) {
    if (dice.chance(0.45)) continue;
    result[key] = depth > 0 && dice.chance(0.4) ? document(dice, depth - 1) : dice.pick(LEAVES);
  }
  return result;
}

/** A document that shares much with another. */
export function changed(dice: Dice, before: JsonObject): JsonObject {
  const result = Object.assign(Object.create(null), before) as JsonObject;
  for (const key of KEYS) {
    const old = result[key];
    const throwing = dice.next();
    if (throwing < 0.1) delete result[key];
    else if (throwing < 0.2) result[key] = document(dice, 1);
    else if (throwing < 0.33) result[key] = dice.pick(LEAVES);
    else if (typeof old === "object") result[key] = changed(dice, old as JsonObject);
  }
  return result;
}

export const SEEDS = Array.from({ length: 200 }, (_, i) => i + 1);
