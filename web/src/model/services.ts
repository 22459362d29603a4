/** The services with the most open cases. */
import type { RegionState } from "../generated/live.ts";
import { appName, humanised } from "../words/families.ts";

export interface ServiceLine {
  readonly key: string;
  readonly name: string;
  readonly app: string;
  readonly open: number;
}

/** The state document sums the services beyond its bound under this name (contract 3.3). */
const REST = "_rest";

/** Largest first, equal ones by name; services of one name in two kinds of an app are one. */
export function largestServices(apps: RegionState["apps"], most: number): ServiceLine[] {
  const open = new Map<string, ServiceLine>();
  for (const [app, kinds] of Object.entries(apps))
    for (const kind of Object.values(kinds))
      for (const [service, n] of Object.entries(kind.by_service)) {
        if (service === REST) continue;
        const key = `${app}/${service}`;
        const before = open.get(key)?.open ?? 0;
        open.set(key, { key, name: humanised(service), app: appName(app), open: before + n });
      }
  return [...open.values()]
    .sort((a, b) => b.open - a.open || (a.key < b.key ? -1 : 1))
    .slice(0, most);
}
