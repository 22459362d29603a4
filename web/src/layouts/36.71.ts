/**
 * Kota Tangerang by neighbourhood: west is left, north is up. Column and row of each kecamatan.
 *
 * Place without polygons: a resident finds Ciledug in the south-east, and each tile has the same
 * room for its number, however small the kecamatan is on a map.
 */
import type { TileLayout } from "./index.ts";

export const KOTA_TANGERANG: TileLayout = {
  columns: 5,
  rows: 5,
  tiles: {
    "36.71.08": [2, 1], // Periuk
    "36.71.10": [4, 1], // Neglasari
    "36.71.04": [5, 1], // Benda
    "36.71.02": [1, 2], // Jatiuwung
    "36.71.09": [2, 2], // Cibodas
    "36.71.07": [3, 2], // Karawaci
    "36.71.01": [4, 2], // Tangerang
    "36.71.03": [5, 2], // Batuceper
    "36.71.05": [4, 3], // Cipondoh
    "36.71.11": [4, 4], // Pinang
    "36.71.12": [5, 4], // Karang Tengah
    "36.71.06": [4, 5], // Ciledug
    "36.71.13": [5, 5], // Larangan
  },
  // South of Jatiuwung and Karawaci lies another kabupaten.
  hole: { column: "1 / 4", row: "3 / 6" },
};
