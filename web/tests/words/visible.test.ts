import { describe, expect, test } from "vitest";
import { visible } from "../../src/words/visible.ts";

describe("a string from outside", () => {
  test.each([
    ["an override of direction", "a\u202eb", "a⟨U+202E⟩b"],
    ["an isolate", "\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"],
    ["an Arabic letter mark", "\u061c", "⟨U+061C⟩"],
    ["a line feed", "a\nb", "a⟨U+000A⟩b"],
    ["an escape", "\u001b[31m", "⟨U+001B⟩[31m"],
    ["a delete", "\u007f", "⟨U+007F⟩"],
    ["a C1 control", "\u009b", "⟨U+009B⟩"],
    ["a zero-width space", "a\u200bb", "a⟨U+200B⟩b"],
    ["a byte order mark", "\ufeff", "⟨U+FEFF⟩"],
    ["a soft hyphen", "a\u00adb", "a⟨U+00AD⟩b"],
    ["a paragraph separator", "\u2029", "⟨U+2029⟩"],
    ["a Hangul filler", "\u3164", "⟨U+3164⟩"],
    ["a tag letter", "\u{e0041}", "⟨U+E0041⟩"],
    ["a lone surrogate", "a\ud800b", "a⟨U+D800⟩b"],
  ])("shows %s", (_, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  test.each(["Jalan berlubang", "Café Ünder", "सड़क", "العربية", "🚧 jalan", "道路"])(
    "shows ordinary writing as it is: %s",
    (text) => {
      expect(visible(text)).toBe(text);
    },
  );

  test("cannot pile marks over its neighbours", () => {
    expect(visible(`a${"\u0301".repeat(50)}b`)).toBe(`a${"\u0301".repeat(3)}b`);
  });

  test("is cut at a length that a wall has room for, between letters", () => {
    const long = visible("🚧".repeat(300));
    expect(Array.from(long)).toHaveLength(80);
    expect(long.endsWith("🚧…")).toBe(true);
  });
});
