/** Which page an address asks for. */

export type Address =
  | { readonly page: "network" }
  | { readonly page: "region"; readonly code: string }
  | { readonly page: "unknown" };

/** A tenant's code is a kabupaten's or kota's; undotted ones are understood (DOMAIN section 1). */
const REGION = /^([0-9]{2})\.?([0-9]{2})$/;

export function readAddress(pathname: string): Address {
  const [wall, region, ...rest] = pathname.split("/").filter(Boolean);
  if (wall !== "wall" || rest.length > 0) return { page: "unknown" };
  if (region === undefined) return { page: "network" };
  const [, province, regency] = REGION.exec(region) ?? [];
  return province === undefined || regency === undefined
    ? { page: "unknown" }
    : { page: "region", code: `${province}.${regency}` };
}
