import { type ReadonlySignal, useComputed } from "@preact/signals";
import type { Feed } from "../live/feed.ts";
import type { NetworkState } from "../live/messages.ts";
import { networkAlarms } from "../model/alarms.ts";
import { regionCards } from "../model/network.ts";
import { Header } from "../parts/Header.tsx";
import { useSpeech } from "../parts/page.ts";
import { staleness, TopLine } from "../parts/TopLine.tsx";
import { Cards } from "./Cards.tsx";
import { Totals } from "./Totals.tsx";

interface Props {
  feed: Feed<NetworkState>;
  state: ReadonlySignal<NetworkState>;
}

/** The wall of the whole network: totals, and the regions, those first that need a look. */
export function NetworkWall({ feed, state }: Props) {
  const stale = useComputed(() => staleness(feed.age.value, feed.link.value));
  return (
    <div class="wall network-wall" data-stale={stale.value} data-testid="network-wall">
      <Head feed={feed} state={state} />
      <Top feed={feed} state={state} />
      <Sums state={state} />
      <Regions state={state} />
    </div>
  );
}

function Head({ feed, state }: Props) {
  const speech = useSpeech();
  const regions = useComputed(() => state.value.totals.regions).value;
  const demo = useComputed(() => state.value.demo === true).value;
  const note = speech.words.networkNote(speech.number(regions));
  return (
    <Header title={speech.words.network} note={note} demo={demo} age={feed.age} now={feed.now} />
  );
}

function Top({ feed, state }: Props) {
  const currentAt = useComputed(() => Date.parse(feed.picture.value?.currentAt ?? ""));
  const alarms = networkAlarms(state.value, useSpeech());
  return <TopLine alarms={alarms} age={feed.age} link={feed.link} currentAt={currentAt} />;
}

function Sums({ state }: Pick<Props, "state">) {
  return <Totals totals={useComputed(() => state.value.totals).value} />;
}

function Regions({ state }: Pick<Props, "state">) {
  return <Cards cards={regionCards(useComputed(() => state.value.regions).value)} />;
}
