import { describe, expect, test } from "vitest";
import { Speech } from "../../src/words/speech.ts";
import { langOf } from "../../src/words/table.ts";

const NOON = Date.parse("2026-11-21T07:07:34Z");
const id = new Speech("id", "Asia/Jakarta");
const en = new Speech("en", "Asia/Jakarta");

describe("Indonesian", () => {
  test("numbers have dots between thousands", () => {
    expect(id.number(1140)).toBe("1.140");
    expect(id.number(1_957_349)).toBe("1.957.349");
  });

  test("times have dots", () => {
    expect(id.time(NOON)).toBe("14.07");
    expect(id.clock(NOON)).toBe("14.07.34");
  });

  test("dates are written out", () => {
    expect(id.longDate(NOON)).toBe("Sabtu, 21 November 2026");
    expect(id.shortDate(NOON)).toBe("21 Nov");
  });

  test.each([
    [0, "0 detik"],
    [2_999, "2 detik"],
    [59_999, "59 detik"],
    [60_000, "1 menit"],
    [47 * 60_000, "47 menit"],
    [3 * 3_600_000, "3 jam"],
    [47 * 3_600_000, "47 jam"],
    [5 * 86_400_000, "5 hari"],
    [1_200 * 86_400_000, "1.200 hari"],
  ])("%i ms are %s", (ms, text) => {
    expect(id.duration(ms)).toBe(text);
  });
});

describe("English", () => {
  test("numbers, times and dates are its own", () => {
    expect(en.number(1140)).toBe("1,140");
    expect(en.clock(NOON)).toBe("14:07:34");
    expect(en.longDate(NOON)).toBe("Saturday 21 November 2026");
  });

  test("one is singular", () => {
    expect(en.duration(1_000)).toBe("1 second");
    expect(en.duration(60_000)).toBe("1 minute");
    expect(en.duration(120_000)).toBe("2 minutes");
    expect(en.words.silentSources("1")).toBe("1 silent source");
  });
});

describe("a zone", () => {
  test.each([
    ["Asia/Jakarta", "WIB", "14.07"],
    ["Asia/Pontianak", "WIB", "14.07"],
    ["Asia/Makassar", "WITA", "15.07"],
    ["Asia/Jayapura", "WIT", "16.07"],
    ["Asia/Singapore", "UTC+8", "15.07"],
    ["Mars/Olympus", "UTC", "07.07"],
  ])("%s is called %s and shows %s", (zone, name, time) => {
    const speech = new Speech("id", zone);
    expect(speech.zoneName).toBe(name);
    expect(speech.time(NOON)).toBe(time);
  });

  test("decides the day", () => {
    const late = Date.parse("2026-11-21T15:30:00Z");
    expect(new Speech("id", "Asia/Jakarta").day(late)).toBe("2026-11-21");
    expect(new Speech("id", "Asia/Jayapura").day(late)).toBe("2026-11-22");
  });

  test("shows midnight as 00", () => {
    expect(id.time(Date.parse("2026-11-20T17:00:00Z"))).toBe("00.00");
  });
});

test("an instant that cannot be read is dashes, not an error", () => {
  expect(id.clock(Number.NaN)).toBe("--.--.--");
  expect(id.longDate(Number.NaN)).toBe("--");
  expect(id.day(Number.NaN)).toBe("--------");
});

test.each([
  ["", "id"],
  ["?lang=en", "en"],
  ["?lang=EN", "id"],
  ["?lang=fr", "id"],
])("an address with %j is in %s", (search, lang) => {
  expect(langOf(search)).toBe(lang);
});
