import type { ComponentChildren } from "preact";

/** A panel's name, and at the right what its numbers mean. */
export function Heading({ title, note }: { title: string; note?: ComponentChildren }) {
  return (
    <h2 class="heading">
      <span class="heading-title">{title}</span>
      {note !== undefined && <span class="heading-note">{note}</span>}
    </h2>
  );
}
