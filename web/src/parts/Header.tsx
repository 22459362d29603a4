import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Age } from "../live/age.ts";
import { AgeRing } from "./AgeRing.tsx";
import { Clock } from "./Clock.tsx";
import { useSpeech } from "./page.ts";

interface Props {
  title: string;
  note: ComponentChildren;
  demo: boolean;
  age: ReadonlySignal<Age | undefined>;
  now: ReadonlySignal<number | undefined>;
}

export function Header({ title, note, demo, age, now }: Props) {
  const { words } = useSpeech();
  return (
    <header class="header">
      <div class="header-name">
        <h1 data-testid="title">{title}</h1>
        <span class="header-note">{note}</span>
        {demo && (
          <span class="demo" data-testid="demo" title={words.demoNote}>
            {words.demo}
          </span>
        )}
      </div>
      <AgeRing age={age} />
      <Clock now={now} />
    </header>
  );
}
