/** Who posts, and who has fallen silent. */
import type { RegionState, SourceState } from "../generated/live.ts";
import { appName } from "../words/families.ts";
import { visible } from "../words/visible.ts";

export interface SourceLine {
  readonly urn: string;
  readonly name: string;
  readonly status: SourceState["status"];
  readonly today: number;
  readonly lastEventAt: number | undefined;
}

const NEED: Record<SourceState["status"], number> = { silent: 0, never: 1, live: 2 };

/** Those that need a look first, then by name, so that a line moves only when its status does. */
export function sourceLines(sources: RegionState["sources"]): SourceLine[] {
  return Object.entries(sources)
    .map(([urn, source]) => sourceLine(urn, source))
    .sort((a, b) => NEED[a.status] - NEED[b.status] || (a.urn < b.urn ? -1 : 1));
}

function sourceLine(urn: string, { status, today, last_event_at }: SourceState): SourceLine {
  const lastEventAt = last_event_at === undefined ? undefined : Date.parse(last_event_at);
  return { urn, name: sourceName(urn), status, today, lastEventAt };
}

/** `urn:pemda:36.71:laksa:kantor-2` → `LAKSA kantor-2`; any other name is shown as it is. */
export function sourceName(urn: string): string {
  const parts = urn.split(":");
  if (parts.length < 4 || parts[0] !== "urn" || parts[1] !== "pemda") return visible(urn);
  const [app = "", ...instance] = parts.slice(3);
  return [appName(app), ...instance.map(visible)].join(" ");
}

export function eventsToday(counts: RegionState["events_today"]): number {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}
