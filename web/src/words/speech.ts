/** Numbers, times and words of one page: one language, one zone. */
import { type Lang, WORDS } from "./table.ts";

const LOCALES: Record<Lang, string> = { id: "id-ID", en: "en-GB" };

/** Indonesia's zones have names of their own, which no formatter spells in both languages. */
const ZONE_NAMES: Readonly<Record<string, string>> = {
  "Asia/Jakarta": "WIB",
  "Asia/Pontianak": "WIB",
  "Asia/Makassar": "WITA",
  "Asia/Ujung_Pandang": "WITA",
  "Asia/Jayapura": "WIT",
};

/** Stands for an instant that cannot be read; a formatter would throw, and the wall go dark. */
const UNKNOWN = "--";

/** Hours of a chart and lines of a feed many times over. */
const REMEMBERED = 500;

type Clock = Record<"year" | "month" | "day" | "hour" | "minute" | "second", string>;
const NO_CLOCK: Clock = {
  year: UNKNOWN,
  month: UNKNOWN,
  day: UNKNOWN,
  hour: UNKNOWN,
  minute: UNKNOWN,
  second: UNKNOWN,
};

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export class Speech {
  readonly lang: Lang;
  readonly words: (typeof WORDS)[Lang];
  readonly zoneName: string;
  readonly #number: Intl.NumberFormat;
  readonly #parts: Intl.DateTimeFormat;
  /** A chart asks for the same 24 hours at every frame, and to format one takes ten microseconds. */
  readonly #told = new Map<number, Clock>();
  readonly #names: Intl.DateTimeFormat;
  readonly #shortMonth: Intl.DateTimeFormat;

  /** @param zone an IANA zone; one that this machine does not know is shown, and told, as UTC */
  constructor(lang: Lang, zone: string) {
    const timeZone = isZone(zone) ? zone : "UTC";
    const locale = LOCALES[lang];
    this.lang = lang;
    this.words = WORDS[lang];
    this.zoneName = ZONE_NAMES[timeZone] ?? offsetName(timeZone);
    this.#number = new Intl.NumberFormat(locale);
    this.#parts = new Intl.DateTimeFormat("en-CA", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    // Names alone: where commas stand differs between versions of the browsers' tables.
    this.#names = new Intl.DateTimeFormat(locale, { timeZone, weekday: "long", month: "long" });
    this.#shortMonth = new Intl.DateTimeFormat(locale, { timeZone, month: "short" });
  }

  /** 1.140 */
  number(n: number): string {
    return this.#number.format(n);
  }

  /** 14.07.34 */
  clock(instant: number): string {
    const { hour, minute, second } = this.#read(instant);
    return [hour, minute, second].join(this.#between);
  }

  /** 14.07 */
  time(instant: number): string {
    const { hour, minute } = this.#read(instant);
    return `${hour}${this.#between}${minute}`;
  }

  /** 14 */
  hour(instant: number): string {
    return this.#read(instant).hour;
  }

  /** Sabtu, 21 November 2026 */
  longDate(instant: number): string {
    if (!Number.isFinite(instant)) return UNKNOWN;
    const { weekday, month } = partsOf(this.#names, instant);
    const { day, year } = this.#read(instant);
    const comma = this.lang === "id" ? "," : "";
    return `${weekday}${comma} ${Number(day)} ${month} ${year}`;
  }

  /** 20 Nov */
  shortDate(instant: number): string {
    if (!Number.isFinite(instant)) return UNKNOWN;
    return `${Number(this.#read(instant).day)} ${this.#shortMonth.format(instant)}`;
  }

  /** 2026-11-21, the local day as the state document spells it. */
  day(instant: number): string {
    const { year, month, day } = this.#read(instant);
    return `${year}-${month}-${day}`;
  }

  /** 2 detik, 47 menit, 3 jam, 5 hari: the largest unit that is full, never more than has passed. */
  duration(ms: number): string {
    const { seconds, minutes, hours, days } = this.words;
    const whole = (unit: number) => this.number(Math.floor(ms / unit));
    if (ms < MINUTE) return seconds(Math.floor(ms / 1000));
    if (ms < HOUR) return minutes(whole(MINUTE));
    return ms < 2 * DAY ? hours(whole(HOUR)) : days(whole(DAY));
  }

  get #between(): string {
    return this.lang === "id" ? "." : ":";
  }

  #read(instant: number): Clock {
    if (!Number.isFinite(instant)) return NO_CLOCK;
    const known = this.#told.get(instant);
    if (known !== undefined) return known;
    if (this.#told.size >= REMEMBERED) this.#told.clear();
    const clock = partsOf(this.#parts, instant) as Clock;
    this.#told.set(instant, clock);
    return clock;
  }
}

function partsOf(format: Intl.DateTimeFormat, instant: number): Record<string, string> {
  const parts = format.formatToParts(instant);
  return Object.fromEntries(parts.map(({ type, value }) => [type, value]));
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** UTC+8: what the zone keeps at present. */
function offsetName(timeZone: string): string {
  const named = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "shortOffset" });
  const offset = partsOf(named, Date.now()).timeZoneName ?? "";
  return offset.replace("GMT", "UTC").replace(/^UTC\+0$/, "UTC");
}
