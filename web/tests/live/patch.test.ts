import { describe, expect, test } from "vitest";
import {
  adopt,
  applyPatch,
  canonical,
  difference,
  type Json,
  type JsonObject,
} from "../../src/live/patch.ts";
import { changed, Dice, document, SEEDS } from "../support/random.ts";

/** RFC 7396, appendix A. */
const RFC_CASES: [target: Json, patch: Json, result: Json][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

describe("a merge patch", () => {
  test.each(RFC_CASES)("of %j with %j is %j", (target, patch, result) => {
    expect(canonical(applyPatch(target, patch))).toBe(canonical(result));
  });

  test.each(SEEDS)(
    "made as a difference leads from the old document to the new one (seed %i)",
    (seed) => {
      const dice = new Dice(seed);
      const before = document(dice);
      const after = dice.chance(0.2) ? document(dice) : changed(dice, before);
      const patch = JSON.parse(JSON.stringify(difference(before, after))) as JsonObject;
      expect(canonical(applyPatch(before, patch))).toBe(canonical(after));
    },
  );

  test.each(SEEDS.slice(0, 40))(
    "leaves the document that it was applied to alone (seed %i)",
    (seed) => {
      const dice = new Dice(seed);
      const before = document(dice);
      const spelled = canonical(before);
      applyPatch(before, difference(before, changed(dice, before)));
      expect(canonical(before)).toBe(spelled);
    },
  );

  test("is empty between equal documents", () => {
    const dice = new Dice(7);
    const one = document(dice);
    expect(difference(one, adopt(one) as JsonObject)).toEqual({});
  });

  test("keeps what it does not touch the same object", () => {
    const before = adopt({
      apps: { laksa: { open: 1 } },
      sources: { a: { today: 1 } },
    }) as JsonObject;
    const after = applyPatch(before, { apps: { laksa: { open: 2 } } }) as JsonObject;
    expect(after.sources).toBe(before.sources);
    expect(after.apps).not.toBe(before.apps);
  });

  test("takes __proto__ for a name like any other", () => {
    const patch = JSON.parse('{"by_service": {"__proto__": {"open": 3}, "constructor": 1}}');
    const result = applyPatch({}, patch) as { by_service: JsonObject };
    expect(Object.keys(result.by_service).sort()).toEqual(["__proto__", "constructor"]);
    expect(canonical(result)).toBe('{"by_service":{"__proto__":{"open":3},"constructor":1}}');
    expect(({} as Record<string, unknown>).open).toBeUndefined();
    const without = applyPatch(result, JSON.parse('{"by_service": {"__proto__": null}}'));
    expect(canonical(without)).toBe('{"by_service":{"constructor":1}}');
  });
});

test("the one spelling sorts members by UTF-16 units, as RFC 8785 does", () => {
  const value = JSON.parse(
    '{"\\ud83d\\ude02": 1, "\\ufb33": 2, "1": 3, "\\r": 4, "10": 5, "2": 6}',
  );
  expect(canonical(value)).toBe('{"\\r":4,"1":3,"10":5,"2":6,"😂":1,"\ufb33":2}');
});
