/** Panels of numbers: one per app and kind. */
import type { Flows, KindState, RegionState } from "../generated/live.ts";
import {
  appName,
  compareApps,
  humanised,
  kindEntry,
  kindLabel,
  kindRank,
  stateLabel,
  successState,
} from "../words/families.ts";
import { type Lang, WORDS } from "../words/table.ts";

export interface Segment {
  readonly state: string;
  readonly label: string;
  readonly count: number;
  /** By the state's place in the table, so that it keeps its tone when others come and go. */
  readonly tone: number;
  /** The standard's clock stands still: drawn hatched, since nobody is late here. */
  readonly paused: boolean;
}

export interface KindPanel {
  /** `laksa-report`, as in the names by which tests find a number. */
  readonly id: string;
  readonly label: string;
  /** What "done well" is called for this kind: Selesai, Terbit, Ditempatkan. */
  readonly success: string | undefined;
  readonly open: number;
  readonly overdue: number;
  readonly today: Readonly<Required<Flows>>;
  readonly segments: readonly Segment[];
}

export interface AppPanel {
  readonly app: string;
  readonly name: string;
  /** The first is the app's own matter; further kinds are shown smaller under it. */
  readonly kinds: readonly KindPanel[];
}

export function appPanels(apps: RegionState["apps"], lang: Lang): AppPanel[] {
  return Object.keys(apps)
    .sort(compareApps)
    .map((app) => ({ app, name: appName(app), kinds: kindPanels(app, apps[app] ?? {}, lang) }))
    .filter((panel) => panel.kinds.length > 0);
}

/** Orders an app's kinds as the table of families does, unknown ones after them by name. */
function kindPanels(app: string, kinds: Record<string, KindState>, lang: Lang): KindPanel[] {
  return Object.keys(kinds)
    .sort((a, b) => kindRank(app, a) - kindRank(app, b) || (a < b ? -1 : 1))
    .map((kind) => kindPanel(app, kind, kinds[kind] as KindState, lang));
}

export function kindPanel(app: string, kind: string, state: KindState, lang: Lang): KindPanel {
  const entry = kindEntry(app, kind, Object.keys(state.by_state));
  return {
    id: `${app}-${kind}`,
    label: entry?.label[lang] ?? humanised(kind),
    success: successState(entry)?.label[lang],
    open: state.open,
    overdue: state.overdue,
    today: allFlows(state.today),
    segments: openSegments(app, kind, state, lang),
  };
}

/** Zeros are left out on the wire; on the wall a nought is a number. */
export function allFlows(flows: Flows): Required<Flows> {
  const { opened = 0, first_responded = 0, closed = 0, resolved = 0, reopened = 0 } = flows;
  return { opened, first_responded, closed, resolved, reopened };
}

/** As many as tokens.css has. */
const TONES = 5;

/** The open cases by state, in the order in which a case goes through them. */
function openSegments(app: string, kind: string, state: KindState, lang: Lang): Segment[] {
  const entry = kindEntry(app, kind, Object.keys(state.by_state));
  const known = Object.entries(entry?.states ?? {}).filter(([, meaning]) => meaning.open);
  const segments = known.map(([code, meaning], i) => ({
    state: code,
    label: stateLabel(entry, code, lang),
    count: state.by_state[code] ?? 0,
    tone: i % TONES,
    paused: meaning.paused,
  }));
  // A state newer than this build may be open too: the bar still sums to the open cases.
  const rest = state.open - segments.reduce((sum, { count }) => sum + count, 0);
  const label = WORDS[lang].otherState;
  return [...segments, { state: "", label, count: rest, tone: 0, paused: false }].filter(
    (s) => s.count > 0,
  );
}

/** `pengaduan LAKSA`, where one line speaks of several apps. */
export function kindOfApp(app: string, kind: string, lang: Lang): string {
  return WORDS[lang].kindOfApp(kindLabel(app, kind, lang), appName(app));
}
