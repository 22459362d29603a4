import type { ReadonlySignal } from "@preact/signals";
import { type Age, STALE_AFTER_MS } from "../live/age.ts";
import { useSpeech } from "./page.ts";

/** How old the picture is: a ring that is full when the wall dims, and the words beside it. */
export function AgeRing({ age }: { age: ReadonlySignal<Age | undefined> }) {
  const speech = useSpeech();
  const { words } = speech;
  const ms = age.value?.ms;
  const known = ms !== undefined && Number.isFinite(ms);
  const full = known ? Math.min(1, ms / STALE_AFTER_MS) : 0;
  return (
    <div class="age" data-testid="age" {...(known && { "data-seconds": Math.floor(ms / 1000) })}>
      <svg class="ring" viewBox="0 0 36 36" aria-hidden="true" focusable="false">
        <circle class="ring-track" cx="18" cy="18" r="14" />
        <circle
          class="ring-fill"
          cx="18"
          cy="18"
          r="14"
          pathLength="100"
          stroke-dasharray={`${(full * 100).toFixed(1)} 100`}
          transform="rotate(-90 18 18)"
        />
      </svg>
      <span class="age-text">{known ? words.age(speech.duration(ms)) : words.noPicture}</span>
    </div>
  );
}
