/** Writes onto the document which picture is on the glass, for tests and for people who look. */
import { effect } from "@preact/signals";
import type { Picture } from "../live/channel.ts";
import type { Feed } from "../live/feed.ts";

export function showPosition<State>(feed: Feed<State>): () => void {
  let frame = 0;
  let newest = Number.NEGATIVE_INFINITY;
  const painted = (picture: Picture<State>) => {
    const { rev, epoch, seq, told } = picture;
    const root = document.documentElement.dataset;
    if (root.rev !== String(rev) || root.epoch !== epoch) {
      const eventTime = Date.parse(picture.watermark ?? "");
      // Only an event that is new with this rev has just travelled from its app to the glass.
      if (told === "change" && eventTime > newest) feed.painted(rev, eventTime);
      newest = Math.max(newest, Number.isNaN(eventTime) ? newest : eventTime);
    }
    Object.assign(root, { rev: String(rev), epoch, seq: String(seq) });
  };
  const end = effect(() => {
    const picture = feed.picture.value;
    cancelAnimationFrame(frame);
    // Elements are redrawn before the next frame, so what is written then is what is shown.
    if (picture !== undefined) frame = requestAnimationFrame(() => painted(picture));
  });
  return () => {
    end();
    cancelAnimationFrame(frame);
  };
}
