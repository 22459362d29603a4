import { expect, test } from "vitest";
import { pause } from "../../src/live/backoff.ts";

test("pauses double until they reach their limit", () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 60].map((n) => pause(n, 1));
  expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
});

test("a random half is taken off, never all", () => {
  expect(pause(3, 0)).toBe(2000);
  expect(pause(3, 0.5)).toBe(3000);
});

test("the server's wish is the least", () => {
  expect(pause(0, 0, 30_000)).toBe(30_000);
});
