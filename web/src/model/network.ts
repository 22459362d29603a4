/** Regions, those first that need a look. */
import type { NetworkLine, NetworkState } from "../generated/live.ts";
import { visible } from "../words/visible.ts";

export interface RegionCard extends NetworkLine {
  readonly code: string;
}

/**
 * Silent sources first, then overdue cases, then backlog. Counts are compared by their power of
 * two: with the counts themselves two like regions would change places at every event, and a
 * card that moves says nothing.
 */
export function regionCards(regions: NetworkState["regions"]): RegionCard[] {
  return Object.entries(regions)
    .map(([code, line]) => ({ ...line, code, name: visible(line.name) }))
    .sort(
      (a, b) =>
        size(b.sources_silent) - size(a.sources_silent) ||
        size(b.overdue) - size(a.overdue) ||
        size(b.open) - size(a.open) ||
        (a.code < b.code ? -1 : 1),
    );
}

function size(n: number): number {
  return n <= 0 ? 0 : Math.floor(Math.log2(n)) + 1;
}
