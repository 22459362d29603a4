import type { SourceLine } from "../model/sources.ts";
import { Count } from "../parts/Count.tsx";
import { Heading } from "../parts/Heading.tsx";
import { useSpeech } from "../parts/page.ts";
import { Sign } from "../parts/Sign.tsx";
import type { Speech } from "../words/speech.ts";

interface Props {
  lines: readonly SourceLine[];
  events: number;
  day: string;
}

/** Who posts: by shape and colour whether it is heard, when last, and how much today. */
export function Sources({ lines, events, day }: Props) {
  const speech = useSpeech();
  const { words } = speech;
  return (
    <section class="panel sources">
      <Heading
        title={words.sources}
        note={<span data-testid="events-today">{words.eventsToday(speech.number(events))}</span>}
      />
      {lines.length === 0 && <p class="empty">{words.noSources}</p>}
      <ul class="source-list" data-many={lines.length > 4}>
        {lines.map((line) => (
          <li key={line.urn} data-testid={`source-${line.urn}`} data-status={line.status}>
            <Sign name={line.status} />
            <span class="source-name">{line.name}</span>
            <span class="source-status">{statusText(line, day, speech)}</span>
            <Count n={line.today} class="source-count" />
          </li>
        ))}
      </ul>
    </section>
  );
}

function statusText({ status, lastEventAt }: SourceLine, day: string, speech: Speech): string {
  const { words } = speech;
  if (status === "never" || lastEventAt === undefined) return words.source[status];
  const today = speech.day(lastEventAt) === day;
  const when = `${today ? "" : `${speech.shortDate(lastEventAt)} `}${speech.time(lastEventAt)}`;
  return `${words.source[status]} · ${when}`;
}
