import { describe, expect, test } from "vitest";
import { ageOf } from "../../src/live/age.ts";
import { iso, START } from "../support/messages.ts";

const signs = { now: START, currentAt: iso(START), hearing: true, fault: undefined };

describe("the age of a picture", () => {
  test("is the server's now less the instant at which it was current", () => {
    expect(ageOf({ ...signs, now: START + 2_400 })).toEqual({ ms: 2_400, stale: undefined });
  });

  test("is never negative", () => {
    expect(ageOf({ ...signs, now: START - 500 }).ms).toBe(0);
  });

  test("is good up to 20 s and stale beyond", () => {
    expect(ageOf({ ...signs, now: START + 20_000 }).stale).toBeUndefined();
    expect(ageOf({ ...signs, now: START + 20_001 }).stale).toBe("projector");
  });

  test.each([
    [{ hearing: true, fault: undefined }, "projector"],
    [{ hearing: false, fault: "network" }, "network"],
    [{ hearing: false, fault: "server" }, "server"],
    [{ hearing: false, fault: undefined }, "network"],
  ] as const)("is blamed with %j on the %s", (part, reason) => {
    expect(ageOf({ ...signs, now: START + 30_000, ...part }).stale).toBe(reason);
  });

  test.each([
    ["an instant that cannot be read", { currentAt: "soon" }],
    ["a server that has told no time", { now: undefined }],
  ])("is infinite with %s", (_, part) => {
    expect(ageOf({ ...signs, ...part })).toEqual({
      ms: Number.POSITIVE_INFINITY,
      stale: "projector",
    });
  });
});
