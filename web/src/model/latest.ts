/** The feed: the newest events by their place in the log. */
import type { LatestLine, RegionState } from "../generated/live.ts";
import { appName, humanised, kindEntry, kindLabel, stateLabel } from "../words/families.ts";
import type { Speech } from "../words/speech.ts";
import { visible } from "../words/visible.ts";
import { placeName } from "./places.ts";

export interface FeedLine {
  readonly seq: string;
  readonly time: string;
  /** Set where the event did not happen on the region's present day. */
  readonly date: string | undefined;
  readonly title: string;
  readonly place: string | undefined;
  readonly app: string;
  readonly tag: string;
  /** Whether the event left its case open, closed it, or closed it well; none for other events. */
  readonly outcome: "open" | "closed" | "success" | undefined;
}

const TYPE = /^id\.go\.tangerangkota\.[^.]+\.([^.]+)\.([^.]+)\.v1$/;
const SIGNAL = /^id\.go\.tangerangkota\.app\.([^.]+)\.v1$/;

/** Newest first. Seqs are compared as numbers: as names, 10 would come before 9. */
export function feedLines(
  { latest, day }: Pick<RegionState, "latest" | "day">,
  areas: Readonly<Record<string, string>>,
  speech: Speech,
): FeedLine[] {
  return Object.entries(latest)
    .sort(([a], [b]) => Number(b) - Number(a))
    .map(([seq, line]) => feedLine(seq, line, day, areas, speech));
}

function feedLine(
  seq: string,
  line: LatestLine,
  day: string,
  areas: Readonly<Record<string, string>>,
  speech: Speech,
): FeedLine {
  const instant = Date.parse(line.time);
  return {
    seq,
    time: speech.time(instant),
    date: speech.day(instant) === day ? undefined : speech.shortDate(instant),
    title: titleOf(line, speech),
    place: line.area === undefined ? undefined : placeName(line.area, areas),
    app: appName(line.app),
    tag: tagOf(line, speech),
    outcome: outcomeOf(line),
  };
}

function titleOf(line: LatestLine, { lang, words }: Speech): string {
  if (line.service !== undefined) return humanised(line.service);
  const kind = TYPE.exec(line.type)?.[1];
  if (kind !== undefined) return capital(kindLabel(line.app, kind, lang));
  return SIGNAL.test(line.type) ? words.signal : visible(line.type);
}

function tagOf({ type, app, state }: LatestLine, { lang, words }: Speech): string {
  const [, kind = "", verb = ""] = TYPE.exec(type) ?? [];
  if (state !== undefined) return stateLabel(kindEntry(app, kind, [state]), state, lang);
  const signal = SIGNAL.exec(type)?.[1] ?? verb;
  return Object.hasOwn(words.signals, signal)
    ? words.signals[signal as keyof typeof words.signals]
    : words.signals.other;
}

function outcomeOf({ type, app, state }: LatestLine): FeedLine["outcome"] {
  if (state === undefined) return undefined;
  const states = kindEntry(app, TYPE.exec(type)?.[1] ?? "", [state])?.states ?? {};
  const meaning = Object.hasOwn(states, state) ? states[state] : undefined;
  if (meaning === undefined || meaning.open) return "open";
  return meaning.success ? "success" : "closed";
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
