import type { Segment } from "../model/kinds.ts";
import { useSpeech } from "./page.ts";

/** As many names as one line under the bar can hold. */
const NAMED = 4;

interface Props {
  id: string;
  segments: readonly Segment[];
  legend: boolean;
}

/** Open cases by state, left to right in the order in which a case goes through them. */
export function StateBar({ id, segments, legend }: Props) {
  const speech = useSpeech();
  const named = largest(segments, NAMED);
  return (
    <div class="state-bar" data-testid={`states-${id}`}>
      <div class="bar" aria-hidden="true">
        {segments.map(({ state, count, tone, paused }) => (
          <i key={state} data-tone={tone} data-paused={paused} style={{ flexGrow: count }} />
        ))}
      </div>
      {legend && (
        <ul class="legend">
          {segments.map(
            ({ state, label, count, tone, paused }) =>
              named.has(state) && (
                <li key={state} data-testid={`state-${id}-${state}`}>
                  <i data-tone={tone} data-paused={paused} />
                  {label} <b>{speech.number(count)}</b>
                </li>
              ),
          )}
        </ul>
      )}
    </div>
  );
}

function largest(segments: readonly Segment[], most: number): Set<string> {
  const ranked = [...segments].sort((a, b) => b.count - a.count);
  return new Set(ranked.slice(0, most).map((segment) => segment.state));
}
