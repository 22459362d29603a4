/** What the register says of a region, for the names on its wall. */
import { authorization } from "./access.ts";
import { adopt, isObject, type Json } from "./patch.ts";

export interface RegionEntry {
  readonly name: string;
  readonly timezone: string | undefined;
  /** Names of the kecamatan by code. */
  readonly areas: Readonly<Record<string, string>>;
}

export type RegisterAnswer = RegionEntry | "unknown" | "unreachable";

export async function readRegion(code: string): Promise<RegisterAnswer> {
  try {
    const response = await fetch(`/v1/regions/${encodeURIComponent(code)}`, {
      headers: authorization(),
      signal: AbortSignal.timeout(9_000),
    });
    if (response.status === 404 || response.status === 422) return "unknown";
    return response.ok ? entryOf(await response.json()) : "unreachable";
  } catch {
    return "unreachable";
  }
}

function entryOf(body: Json): RegisterAnswer {
  if (!isObject(body)) return "unreachable";
  const areas = isObject(body.areas) ? (adopt(body.areas) as Record<string, string>) : {};
  return {
    name: typeof body.name === "string" ? body.name : "",
    timezone: typeof body.timezone === "string" ? body.timezone : undefined,
    areas,
  };
}
