import { expect, test } from "vitest";
import { readAddress } from "../src/address.ts";

test.each([
  ["/wall", { page: "network" }],
  ["/wall/", { page: "network" }],
  ["/wall/36.71", { page: "region", code: "36.71" }],
  ["/wall/36.71/", { page: "region", code: "36.71" }],
  ["/wall/3671", { page: "region", code: "36.71" }],
  ["/wall/36", { page: "unknown" }],
  ["/wall/36.71.05", { page: "unknown" }],
  ["/wall/tangerang", { page: "unknown" }],
  ["/wall/٣٦.٧١", { page: "unknown" }],
  ["/wall/36.71/cases", { page: "unknown" }],
  ["/", { page: "unknown" }],
])("%s asks for %j", (pathname, address) => {
  expect(readAddress(pathname)).toEqual(address);
});
