/** Where the tiles of a region stand. */
import { KOTA_TANGERANG } from "./36.71.ts";

export interface TileLayout {
  readonly columns: number;
  readonly rows: number;
  /** Column and row of each kecamatan, counted from 1. */
  readonly tiles: Readonly<Record<string, readonly [column: number, row: number]>>;
  /** A part where no tile stands, large enough to hold a list. */
  readonly hole?: { readonly column: string; readonly row: string };
}

const LAYOUTS: Readonly<Record<string, TileLayout>> = { "36.71": KOTA_TANGERANG };

/** How much wider the panel is than high, in units of a tile that is easy to read. */
const PANEL_SHAPE = 0.8;

/** Returns the region's own layout, or a tidy grid in the order of the codes. */
export function layoutOf(region: string, areas: readonly string[]): TileLayout {
  const own = Object.hasOwn(LAYOUTS, region) ? LAYOUTS[region] : undefined;
  if (own !== undefined && areas.every((area) => Object.hasOwn(own.tiles, area))) return own;
  return tidyGrid(areas);
}

/** With so few tiles one row of them is enough, and the other half is free. */
const ONE_ROW = 4;

export function tidyGrid(areas: readonly string[]): TileLayout {
  if (areas.length <= ONE_ROW) return oneRow(areas);
  const columns = Math.max(
    1,
    Math.min(areas.length, Math.ceil(Math.sqrt(areas.length * PANEL_SHAPE))),
  );
  const place = (i: number) => [(i % columns) + 1, Math.floor(i / columns) + 1] as const;
  const tiles = Object.fromEntries([...areas].sort().map((area, i) => [area, place(i)] as const));
  return { columns, rows: Math.max(1, Math.ceil(areas.length / columns)), tiles };
}

function oneRow(areas: readonly string[]): TileLayout {
  const tiles = Object.fromEntries([...areas].sort().map((area, i) => [area, [i + 1, 1] as const]));
  const hole = { column: "1 / -1", row: "2 / -1" };
  return { columns: Math.max(1, areas.length), rows: 2, tiles, hole };
}
