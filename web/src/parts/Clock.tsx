import type { ReadonlySignal } from "@preact/signals";
import { useSpeech } from "./page.ts";

/** The server's time in the page's zone; never this machine's. */
export function Clock({ now }: { now: ReadonlySignal<number | undefined> }) {
  const speech = useSpeech();
  const instant = now.value;
  if (instant === undefined) return <div class="clock" data-testid="clock" />;
  return (
    <div class="clock">
      <time class="clock-time" data-testid="clock" dateTime={new Date(instant).toISOString()}>
        {speech.clock(instant)}
      </time>
      <span class="clock-date">
        <b>{speech.zoneName}</b>
        {speech.longDate(instant)}
      </span>
    </div>
  );
}
