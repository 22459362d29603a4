import type { ReadonlySignal } from "@preact/signals";
import type { Age } from "../live/age.ts";
import type { Link } from "../live/connection.ts";
import type { Alarm } from "../model/alarms.ts";
import type { Speech } from "../words/speech.ts";
import { useSpeech } from "./page.ts";
import { Sign } from "./Sign.tsx";

interface Props {
  alarms: readonly Alarm[];
  age: ReadonlySignal<Age | undefined>;
  link: ReadonlySignal<Link>;
  currentAt: ReadonlySignal<number>;
}

/**
 * The one line for what needs a person now. It always has its place, so that nothing else moves
 * when it fills; a picture that is too old comes before all it says.
 */
export function TopLine({ alarms, age, link, currentAt }: Props) {
  const stale = staleness(age.value, link.value);
  if (stale !== undefined) {
    return <StaleLine reason={stale} age={age.value} link={link.value} at={currentAt.value} />;
  }
  return <AlarmLine alarms={alarms} />;
}

/** A picture whose connection will not come back by itself is stale from that moment on. */
export function staleness(age: Age | undefined, link: Link): Age["stale"] {
  return link.phase === "refused" ? "server" : age?.stale;
}

function AlarmLine({ alarms }: { alarms: readonly Alarm[] }) {
  const speech = useSpeech();
  if (alarms.length === 0) {
    return (
      <div class="top-line calm" data-testid="alarm-none" role="status">
        <Sign name="calm" />
        <span>{speech.words.nothingNeeded}</span>
      </div>
    );
  }
  return (
    <div class="top-line alarm" data-testid="alarm" role="status">
      {alarms.map(({ key, sign, subject, rest }) => (
        <span class="alarm-item" key={key} data-sign={sign}>
          <Sign name={sign} />
          <b>{subject}</b>
          {rest !== "" && <span class="alarm-rest">{rest}</span>}
        </span>
      ))}
      <span class="top-note">{speech.words.needPerson(speech.number(alarms.length))}</span>
    </div>
  );
}

interface StaleProps {
  reason: NonNullable<Age["stale"]>;
  age: Age | undefined;
  link: Link;
  at: number;
}

function StaleLine({ reason, age, link, at }: StaleProps) {
  const speech = useSpeech();
  const { words } = speech;
  const why = link.refusal === undefined ? words.stale[reason] : words.refused[link.refusal];
  return (
    <div class="top-line stale" data-testid="stale" data-reason={reason} role="alert">
      <Sign name="stale" />
      <b>{why}</b>
      <span class="alarm-rest">{sinceWhen(speech, age, at)}</span>
      <span class="top-note">
        {words.staleKind[reason]}
        {link.code !== undefined && ` · ${words.code(String(link.code))}`} ·{" "}
        {link.phase === "refused" ? words.recoversNot : words.recovers}
      </span>
    </div>
  );
}

function sinceWhen(speech: Speech, age: Age | undefined, at: number): string {
  if (age === undefined || !Number.isFinite(age.ms)) return speech.words.sinceUnknown;
  const time = `${speech.clock(at)} ${speech.zoneName}`;
  const day = age.ms > 12 * 3_600_000 ? `, ${speech.shortDate(at)}` : "";
  return speech.words.since(time + day, speech.duration(age.ms));
}
