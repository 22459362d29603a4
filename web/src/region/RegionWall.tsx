import { type ReadonlySignal, useComputed } from "@preact/signals";
import { layoutOf } from "../layouts/index.ts";
import type { Feed } from "../live/feed.ts";
import type { RegionState } from "../live/messages.ts";
import { regionAlarms } from "../model/alarms.ts";
import { lastHours } from "../model/hours.ts";
import { appPanels } from "../model/kinds.ts";
import { feedLines } from "../model/latest.ts";
import { places } from "../model/places.ts";
import { largestServices } from "../model/services.ts";
import { eventsToday, sourceLines } from "../model/sources.ts";
import { Header } from "../parts/Header.tsx";
import { useSpeech } from "../parts/page.ts";
import { staleness, TopLine } from "../parts/TopLine.tsx";
import { visible } from "../words/visible.ts";
import { AppPanels } from "./AppPanels.tsx";
import { DayChart } from "./DayChart.tsx";
import { Latest } from "./Latest.tsx";
import { PlaceTiles } from "./PlaceTiles.tsx";
import { Services } from "./Services.tsx";
import { Sources } from "./Sources.tsx";

const MINUTE_MS = 60_000;
/** As many services as a panel in the bottom row holds, and as the hole of a layout does. */
const SERVICES = { foot: 5, hole: 8 };

interface Props {
  feed: Feed<RegionState>;
  state: ReadonlySignal<RegionState>;
  areas: ReadonlySignal<Readonly<Record<string, string>>>;
}

/**
 * The wall of one region.
 *
 * Each panel reads its own part of the state: a patch leaves the other parts the same objects,
 * and signals do not tell a part that it is the same.
 */
export function RegionWall({ feed, state, areas }: Props) {
  const stale = useComputed(() => staleness(feed.age.value, feed.link.value));
  return (
    <div class="wall region-wall" data-stale={stale.value} data-testid="region-wall">
      <Head feed={feed} state={state} />
      <Top feed={feed} state={state} />
      <main class="region-main">
        <Apps state={state} />
        <Tiles state={state} areas={areas} />
        <Feeds state={state} areas={areas} />
      </main>
      <Foot feed={feed} state={state} areas={areas} />
    </div>
  );
}

/** Where the map has a hole, the services stand there, and the day has their room. */
function Foot({ feed, state, areas }: Props) {
  const code = useComputed(() => state.value.region.code).value;
  const roomy = layoutOf(code, Object.keys(areas.value)).hole !== undefined;
  return (
    <div class="region-foot" data-panels={roomy ? 2 : 3}>
      <Day feed={feed} state={state} />
      {!roomy && <Largest state={state} most={SERVICES.foot} />}
      <Heard state={state} />
    </div>
  );
}

type Part = Pick<Props, "state">;

function Head({ feed, state }: Pick<Props, "feed" | "state">) {
  const head = useComputed(() => state.value.region).value;
  const demo = useComputed(() => state.value.demo === true).value;
  return (
    <Header title={visible(head.name)} note={head.code} demo={demo} age={feed.age} now={feed.now} />
  );
}

function Top({ feed, state }: Pick<Props, "feed" | "state">) {
  const speech = useSpeech();
  const currentAt = useComputed(() => Date.parse(feed.picture.value?.currentAt ?? ""));
  // By the minute: a source's silence is told in minutes, and nothing moves in between.
  const minute = useComputed(() => Math.floor(currentAt.value / MINUTE_MS) * MINUTE_MS);
  const alarms = regionAlarms(state.value, minute.value, speech);
  return <TopLine alarms={alarms} age={feed.age} link={feed.link} currentAt={currentAt} />;
}

function Apps({ state }: Part) {
  const apps = useComputed(() => state.value.apps).value;
  return <AppPanels panels={appPanels(apps, useSpeech().lang)} />;
}

function Tiles({ state, areas }: Pick<Props, "state" | "areas">) {
  const apps = useComputed(() => state.value.apps).value;
  const code = useComputed(() => state.value.region.code).value;
  return (
    <PlaceTiles places={places(code, apps, areas.value)}>
      <Largest state={state} most={SERVICES.hole} />
    </PlaceTiles>
  );
}

function Feeds({ state, areas }: Pick<Props, "state" | "areas">) {
  const latest = useComputed(() => state.value.latest).value;
  const day = useComputed(() => state.value.day).value;
  return <Latest lines={feedLines({ latest, day }, areas.value, useSpeech())} />;
}

function Day({ feed, state }: Pick<Props, "feed" | "state">) {
  const hours = useComputed(() => state.value.hours).value;
  const hour = useComputed(() => {
    const at = Date.parse(feed.picture.value?.currentAt ?? "");
    return Math.floor(at / (60 * MINUTE_MS)) * 60 * MINUTE_MS;
  }).value;
  return <DayChart hours={lastHours(hours, hour)} />;
}

function Largest({ state, most }: Part & { most: number }) {
  const apps = useComputed(() => state.value.apps).value;
  return <Services lines={largestServices(apps, most)} />;
}

function Heard({ state }: Part) {
  const sources = useComputed(() => state.value.sources).value;
  const events = useComputed(() => eventsToday(state.value.events_today)).value;
  const day = useComputed(() => state.value.day).value;
  return <Sources lines={sourceLines(sources)} events={events} day={day} />;
}
