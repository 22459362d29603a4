/**
 * Words and meaning of kinds and states, from the server's own table (schemas/families.json),
 * so that a state cannot have one name in the API and another on the wall.
 */
import table from "../../schemas/families.json" with { type: "json" };
import type { Lang } from "./table.ts";
import { visible } from "./visible.ts";

export interface StateEntry {
  readonly label: Record<Lang, string>;
  readonly open: boolean;
  readonly success: boolean;
  readonly paused: boolean;
}
export interface KindEntry {
  readonly label: Record<Lang, string>;
  readonly states: Readonly<Record<string, StateEntry>>;
}
type Family = Readonly<Record<string, KindEntry>>;

export const FAMILIES: Readonly<Record<string, Family>> = table;

/** The seed's apps: name on screen, family, and their order on a wall. */
const APPS: Readonly<Record<string, { name: string; family: string }>> = {
  laksa: { name: "LAKSA", family: "complaint" },
  perizinan: { name: "Perizinan Online", family: "permit" },
  siapkerja: { name: "Siap Kerja", family: "employment" },
};
const APP_ORDER = Object.keys(APPS);

export function appName(app: string): string {
  return own(APPS, app)?.name ?? humanised(app);
}

/** Sorts the seed's apps first, in their order, then others by code. */
export function compareApps(a: string, b: string): number {
  return rank(a) - rank(b) || (a < b ? -1 : Number(a > b));
}

function rank(app: string): number {
  const place = APP_ORDER.indexOf(app);
  return place < 0 ? APP_ORDER.length : place;
}

/**
 * Returns what is known of a kind. An app outside the seed is of the family whose kind of that
 * name has most of the states that were seen, since two families may share a kind's name.
 */
export function kindEntry(
  app: string,
  kind: string,
  states: readonly string[],
): KindEntry | undefined {
  const known = own(APPS, app);
  const families = known === undefined ? Object.values(FAMILIES) : [own(FAMILIES, known.family)];
  const entries = families.flatMap((family) => own(family, kind) ?? []);
  const shared = (entry: KindEntry) =>
    states.filter((state) => Object.hasOwn(entry.states, state)).length;
  return entries.sort((a, b) => shared(b) - shared(a))[0];
}

/** Returns the kind's place in the table of its app's family; unknown ones come after all. */
export function kindRank(app: string, kind: string): number {
  const place = Object.keys(own(FAMILIES, own(APPS, app)?.family ?? "") ?? {}).indexOf(kind);
  return place < 0 ? Number.MAX_SAFE_INTEGER : place;
}

export function kindLabel(app: string, kind: string, lang: Lang): string {
  return kindEntry(app, kind, [])?.label[lang] ?? humanised(kind);
}

export function stateLabel(entry: KindEntry | undefined, state: string, lang: Lang): string {
  return own(entry?.states, state)?.label[lang] ?? humanised(state);
}

/** Returns the state that ends a case of the kind well, whose word says what "done" means. */
export function successState(entry: KindEntry | undefined): StateEntry | undefined {
  return Object.values(entry?.states ?? {}).find((state) => state.success);
}

/** Short words that are initials, so that `ktp-el` becomes `KTP el` and not `Ktp el`. */
const INITIALS = new Set(
  "ak1 ktp kk kia nik npwp nib pbg imb slf siup situ tdp sip str iumk pkl pju pdam bpjs pbb bphtb".split(
    " ",
  ),
);

/** Returns words for a name that an app made for machines: `jalan-berlubang` → `Jalan berlubang`. */
export function humanised(slug: string): string {
  const words = visible(slug)
    .split(/[-_\s.]+/)
    .filter(Boolean)
    .map((word) => (INITIALS.has(word.toLowerCase()) ? word.toUpperCase() : word));
  const text = words.join(" ").replace(/^AK1\b/, "AK-1");
  return text === "" ? visible(slug) : text.charAt(0).toUpperCase() + text.slice(1);
}

/** Reads a member of a table by a name from outside: `constructor` is no member of any. */
function own<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}
