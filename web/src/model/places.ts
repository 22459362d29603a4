/** Open cases by kecamatan. */

import type { RegionState } from "../generated/live.ts";
import { layoutOf, type TileLayout } from "../layouts/index.ts";
import { compareApps } from "../words/families.ts";
import { visible } from "../words/visible.ts";

export interface Tile {
  readonly area: string;
  readonly name: string;
  readonly open: number;
  readonly column: number;
  readonly row: number;
  /** How dark, from 0 to 1. */
  readonly amount: number;
  /** The same cases by app, in the order of `Places.apps`. */
  readonly parts: readonly number[];
}

export interface Places {
  readonly layout: TileLayout;
  readonly tiles: readonly Tile[];
  /** The apps whose cases have a place. */
  readonly apps: readonly string[];
  readonly total: number;
  /** Open cases that no sender gave a place. */
  readonly placeless: number;
}

export function places(
  region: string,
  apps: RegionState["apps"],
  names: Readonly<Record<string, string>>,
): Places {
  const byApp = openByArea(apps);
  const open = (area: string) => byApp.map((counts) => counts.areas.get(area) ?? 0);
  const given = byApp.flatMap((counts) => [...counts.areas.keys()]);
  const areas = [...new Set([...Object.keys(names), ...given])].sort();
  const layout = layoutOf(region, areas);
  const ceiling = roundCeiling(Math.max(0, ...areas.map((area) => sum(open(area)))));
  const tiles = areas.map((area) => {
    const [column, row] = layout.tiles[area] as readonly [number, number];
    const parts = open(area);
    const n = sum(parts);
    return { area, name: nameOf(area, names), open: n, column, row, amount: n / ceiling, parts };
  });
  const total = sum(
    Object.values(apps).flatMap((kinds) => Object.values(kinds).map((k) => k.open)),
  );
  const placed = sum(tiles.map((tile) => tile.open));
  return {
    layout,
    tiles,
    apps: byApp.map(({ app }) => app),
    total,
    placeless: Math.max(0, total - placed),
  };
}

interface AppAreas {
  readonly app: string;
  readonly areas: Map<string, number>;
}

function openByArea(apps: RegionState["apps"]): AppAreas[] {
  const byApp = Object.keys(apps)
    .sort(compareApps)
    .map((app) => {
      const areas = new Map<string, number>();
      for (const kind of Object.values(apps[app] ?? {}))
        for (const [area, n] of Object.entries(kind.by_area))
          areas.set(area, (areas.get(area) ?? 0) + n);
      return { app, areas };
    });
  return byApp.filter(({ areas }) => areas.size > 0);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, n) => total + n, 0);
}

function nameOf(area: string, names: Readonly<Record<string, string>>): string {
  return visible((Object.hasOwn(names, area) && names[area]) || area);
}

/** No step is more than half as large again as the one before, so that none changes the look much. */
const CEILINGS = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/**
 * Returns the least of 10, 15, 20, 30, 40, 50, 60, 80, 100, 150 … that is not below `most`, for a
 * scale of amounts: with the largest number itself as its end, one case more in one place would
 * change the look of all others.
 */
export function roundCeiling(most: number): number {
  let decade = 10;
  while (decade * 10 <= most) decade *= 10;
  return CEILINGS.map((step) => step * decade).find((ceiling) => ceiling >= most) ?? decade;
}

/** Returns the kecamatan that a code lies in: a kelurahan counts in its kecamatan. */
export function kecamatanOf(area: string): string {
  return area.split(".").slice(0, 3).join(".");
}

/** Returns the place's name for a line of the feed. */
export function placeName(area: string, names: Readonly<Record<string, string>>): string {
  return nameOf(kecamatanOf(area), names);
}
