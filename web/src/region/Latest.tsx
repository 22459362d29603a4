import type { FeedLine } from "../model/latest.ts";
import { Changing } from "../parts/Changing.tsx";
import { Heading } from "../parts/Heading.tsx";
import { useSpeech } from "../parts/page.ts";
import { Sign } from "../parts/Sign.tsx";

/** The newest events, newest first. */
export function Latest({ lines }: { lines: readonly FeedLine[] }) {
  const { words } = useSpeech();
  return (
    <section class="panel latest">
      <Heading title={words.feed} note={words.feedNote} />
      {lines.length === 0 && <p class="empty">{words.feedEmpty}</p>}
      <ol class="feed" data-testid="feed">
        {lines.map((line) => (
          <Line key={line.seq} line={line} />
        ))}
      </ol>
    </section>
  );
}

function Line({ line }: { line: FeedLine }) {
  return (
    <li class="feed-line" data-testid={`feed-${line.seq}`}>
      <span class="feed-time">
        {line.time}
        {line.date !== undefined && <small>{line.date}</small>}
      </span>
      <span class="feed-what">
        <Changing value={line.title} isNew>
          <span class="feed-title">{line.title}</span>
        </Changing>
        <small>{[line.place, line.app].filter(Boolean).join(" · ")}</small>
      </span>
      <span class="tag" data-outcome={line.outcome}>
        {line.outcome === "success" && <Sign name="success" />}
        {line.tag}
      </span>
    </li>
  );
}
