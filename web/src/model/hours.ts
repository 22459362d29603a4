/** Opened and closed in each of the last 24 hours. */
import type { RegionState } from "../generated/live.ts";

const HOUR_MS = 3_600_000;
const HOURS = 24;

export interface Hour {
  readonly start: number;
  readonly opened: number;
  readonly closed: number;
}

/**
 * Returns 24 hours, the last of them the one in which the picture was current, which is not
 * over; hours that the document leaves out had nothing.
 */
export function lastHours(hours: RegionState["hours"], currentAt: number): Hour[] {
  const read = new Map(Object.entries(hours).map(([key, flows]) => [Date.parse(key), flows]));
  const told = [...read.keys()].filter(Number.isFinite);
  const newest = Number.isFinite(currentAt) ? currentAt : Math.max(...told, 0);
  const last = Math.floor(newest / HOUR_MS) * HOUR_MS;
  return Array.from({ length: HOURS }, (_, i) => {
    const start = last - (HOURS - 1 - i) * HOUR_MS;
    const { opened = 0, closed = 0 } = read.get(start) ?? {};
    return { start, opened, closed };
  });
}

export function sumOf(hours: readonly Hour[], flow: "opened" | "closed"): number {
  return hours.reduce((sum, hour) => sum + hour[flow], 0);
}

/** Returns round marks for a scale from 0 that holds `most`: at most four above the nought. */
export function scaleMarks(most: number): number[] {
  const rough = Math.max(most, 4) / 4;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((s) => s * decade).find((s) => s >= rough) ?? decade;
  const marks = [0];
  while ((marks.at(-1) as number) < most || marks.length < 3) marks.push(marks.length * step);
  return marks;
}
