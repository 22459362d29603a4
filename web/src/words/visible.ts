/**
 * Makes invisible characters visible.
 *
 * Names of services and sources are chosen by senders. A control or a bidi character in one
 * could turn a line around or make one name look like another, so it is shown, not obeyed.
 */

/** Controls, format and bidi characters, separators, private use, lone surrogates, and fillers. */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Variation_Selector}\u115f\u1160\u2800\u3164\uffa0]|\u034f|\u17b4|\u17b5/gu;

/** More marks than any language puts on one letter climb over the neighbouring lines. */
const PILED_MARKS = /(\p{M}{3})\p{M}+/gu;

/** A wall has room for a name, not for 256 characters of one. */
const LONGEST = 80;

/** Returns `text` with each unseen character as its code point in angle brackets. */
export function visible(text: string): string {
  const shown = text.replace(UNSEEN, codePoint).replace(PILED_MARKS, "$1");
  const letters = Array.from(shown);
  return letters.length <= LONGEST ? shown : `${letters.slice(0, LONGEST - 1).join("")}…`;
}

function codePoint(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
