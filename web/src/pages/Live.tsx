import { effect, type ReadonlySignal, useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { forgetAccessKey, keepAccessKey } from "../live/access.ts";
import type { Feed } from "../live/feed.ts";
import { Page, useSpeech } from "../parts/page.ts";
import { Speech } from "../words/speech.ts";
import type { Lang } from "../words/table.ts";
import { visible } from "../words/visible.ts";
import { AccessForm } from "./AccessForm.tsx";
import { Plain } from "./Plain.tsx";
import { showPosition } from "./position.ts";
import { UnknownRegion } from "./UnknownPage.tsx";
import { Waiting } from "./Waiting.tsx";

interface Props<State> {
  feed: Feed<State>;
  lang: Lang;
  zone: ReadonlySignal<string>;
  title: ReadonlySignal<string>;
  /** Set on a region's wall where the register does not know the code. */
  unknown?: ReadonlySignal<string | undefined>;
  wall(state: ReadonlySignal<State>): ComponentChildren;
}

/** Chooses between the wall and the plain page that says why there is none. */
export function Live<State>({ feed, lang, zone, title, unknown, wall }: Props<State>) {
  const speech = useComputed(() => new Speech(lang, zone.value)).value;
  const tools = useMemo(
    () => ({ speech, glows: () => feed.picture.peek()?.told === "change" }),
    [speech, feed],
  );
  useEffect(() => follow(feed, title), [feed, title]);
  return (
    <Page.Provider value={tools}>
      <Choice feed={feed} title={title} unknown={unknown} wall={wall} />
    </Page.Provider>
  );
}

function Choice<State>({
  feed,
  title,
  unknown,
  wall,
}: Pick<Props<State>, "feed" | "title" | "wall"> & {
  unknown: Props<State>["unknown"] | undefined;
}) {
  const { words } = useSpeech();
  const shown = useComputed(() => feed.picture.value !== undefined).value;
  const state = useComputed(() => feed.picture.value?.state as State);
  const { refusal } = feed.link.value;
  const submit = (key: string) => connectWith(feed, key);
  if (refusal === "key_missing" || refusal === "key_refused" || refusal === "revoked") {
    return <AccessForm title={words.refused[refusal]} submit={submit} />;
  }
  if (shown) return wall(state);
  const problem = feed.problem.value;
  const code = unknown?.value;
  if (code !== undefined) return <UnknownRegion code={code} />;
  // The key is good, but not for this channel: another one may be.
  if (problem?.status === 403) return <AccessForm title={words.declined} submit={submit} />;
  if (problem !== undefined) {
    return (
      <Plain title={words.declined} testId="declined">
        <p>{visible(problem.title)}</p>
      </Plain>
    );
  }
  return <Waiting title={title.value} link={feed.link.value} />;
}

function connectWith<State>(feed: Feed<State>, key: string): void {
  forgetAccessKey();
  keepAccessKey(key);
  feed.reconnect();
}

/** Keeps the connection, and what lies outside the page's own elements, in step. */
function follow<State>(feed: Feed<State>, title: ReadonlySignal<string>): () => void {
  const retry = () => feed.retry();
  const ends = [
    feed.start(),
    showPosition(feed),
    effect(() => {
      document.title = `${title.value} · Kentongan`;
    }),
  ];
  window.addEventListener("online", retry);
  return () => {
    window.removeEventListener("online", retry);
    for (const end of ends) end();
  };
}
