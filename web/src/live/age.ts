/** How old the picture is, and when it may no longer be shown as if it were now. */
import type { Fault } from "./connection.ts";

/** Contract 3.4: a wall dims when its picture's age, or its socket's silence, passes this. */
export const STALE_AFTER_MS = 20_000;

/** `projector`: the server speaks, but nobody folds the log that it tells of. */
export type StaleReason = "network" | "server" | "projector";

export interface Signs {
  /** Server time in ms, unknown until the server has told it once. */
  readonly now: number | undefined;
  readonly currentAt: string;
  /** The socket stands, and heartbeats come on it. */
  readonly hearing: boolean;
  readonly fault: Fault | undefined;
}

export interface Age {
  readonly ms: number;
  readonly stale: StaleReason | undefined;
}

/** Returns the picture's age; an instant that cannot be read makes it infinitely old. */
export function ageOf({ now, currentAt, hearing, fault }: Signs): Age {
  const read = Date.parse(currentAt);
  const ms =
    now === undefined || Number.isNaN(read) ? Number.POSITIVE_INFINITY : Math.max(0, now - read);
  if (ms <= STALE_AFTER_MS) return { ms, stale: undefined };
  return { ms, stale: hearing ? "projector" : (fault ?? "network") };
}
