/** What needs a person now: the one line at the top. */
import type { NetworkState, RegionState } from "../generated/live.ts";
import { appName } from "../words/families.ts";
import type { Speech } from "../words/speech.ts";
import { visible } from "../words/visible.ts";
import { kindOfApp } from "./kinds.ts";
import { sourceLines } from "./sources.ts";

export interface Alarm {
  readonly key: string;
  readonly sign: "silent" | "overdue";
  /** The part that is set strong. */
  readonly subject: string;
  readonly rest: string;
}

/** A line that one reads in passing has room for this many; beyond it, they are summed. */
const ROOM = 2;

export function regionAlarms(state: RegionState, at: number, speech: Speech): Alarm[] {
  return [...silentSources(state, at, speech), ...overdueKinds(state, speech)];
}

function silentSources({ sources }: RegionState, at: number, speech: Speech): Alarm[] {
  const { words } = speech;
  const silent = sourceLines(sources).filter((source) => source.status === "silent");
  if (silent.length > ROOM) {
    const names = silent.map((source) => source.name).join(", ");
    const subject = words.silentSources(speech.number(silent.length));
    return [{ key: "silent", sign: "silent", subject, rest: names }];
  }
  return silent.map(({ urn, name, lastEventAt }) => ({
    key: urn,
    sign: "silent",
    subject: name,
    rest:
      lastEventAt === undefined || Number.isNaN(lastEventAt)
        ? words.source.silent
        : words.silentFor(speech.duration(Math.max(0, at - lastEventAt))),
  }));
}

function overdueKinds({ apps }: RegionState, speech: Speech): Alarm[] {
  const late = Object.entries(apps).flatMap(([app, kinds]) =>
    Object.entries(kinds)
      .filter(([, kind]) => kind.overdue > 0)
      .map(([kind, { overdue }]) => ({ app, kind, overdue })),
  );
  if (late.length > ROOM) {
    const sum = late.reduce((total, { overdue }) => total + overdue, 0);
    const names = [...new Set(late.map(({ app }) => appName(app)))].join(", ");
    return [overdueAlarm("overdue", speech.words.overdueTotal(speech.number(sum)), names)];
  }
  return late.map(({ app, kind, overdue }) => {
    const cases = kindOfApp(app, kind, speech.lang);
    const text = speech.words.overdueCases(speech.number(overdue), cases);
    return overdueAlarm(`${app}-${kind}`, text, "");
  });
}

function overdueAlarm(key: string, subject: string, rest: string): Alarm {
  return { key, sign: "overdue", subject, rest };
}

export function networkAlarms({ regions, totals }: NetworkState, speech: Speech): Alarm[] {
  const { words } = speech;
  const names = (of: "sources_silent" | "overdue") =>
    Object.values(regions)
      .filter((region) => region[of] > 0)
      .sort((a, b) => b[of] - a[of])
      .map((region) => visible(region.name).replace(/^Kabupaten /, "Kab. "))
      .join(", ");
  const alarms: Alarm[] = [];
  if (totals.sources_silent > 0) {
    const subject = words.silentSources(speech.number(totals.sources_silent));
    alarms.push({ key: "silent", sign: "silent", subject, rest: names("sources_silent") });
  }
  if (totals.overdue > 0) {
    const subject = words.overdueTotal(speech.number(totals.overdue));
    alarms.push(overdueAlarm("overdue", subject, names("overdue")));
  }
  return alarms;
}
