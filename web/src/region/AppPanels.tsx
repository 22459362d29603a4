import type { AppPanel, KindPanel } from "../model/kinds.ts";
import { Count } from "../parts/Count.tsx";
import { useSpeech } from "../parts/page.ts";
import { Sign } from "../parts/Sign.tsx";
import { StateBar } from "../parts/StateBar.tsx";

/** More kinds than this in one column leave no room for the large form. */
const LARGE_FORMS = 4;

/** The numbers of each app: its own matter large, its further kinds as lines under it. */
export function AppPanels({ panels }: { panels: readonly AppPanel[] }) {
  const { words } = useSpeech();
  if (panels.length === 0) return <section class="panel empty">{words.noApps}</section>;
  return (
    <div class="apps" data-crowded={panels.length > LARGE_FORMS}>
      {panels.map(({ app, name, kinds: [first, ...further] }) => (
        <section class="panel app" key={app} data-further={further.length > 0}>
          {first !== undefined && <LargeKind name={name} kind={first} />}
          {further.length > 0 && (
            <div class="further">
              {further.map((kind) => (
                <SmallKind key={kind.id} kind={kind} />
              ))}
            </div>
          )}
        </section>
      ))}
    </div>
  );
}

function LargeKind({ name, kind }: { name: string; kind: KindPanel }) {
  const { words } = useSpeech();
  return (
    <div class="kind" data-testid={`kind-${kind.id}`}>
      <h2 class="heading kind-heading">
        <span class="heading-title">{name}</span>
        <span class="heading-note">{kind.label}</span>
      </h2>
      <Count n={kind.open} class="big" testId={`open-${kind.id}`} />
      <div class="kind-label">
        <span>{words.open}</span>
        <Overdue kind={kind} />
      </div>
      <Flows kind={kind} />
      <StateBar id={kind.id} segments={kind.segments} legend />
    </div>
  );
}

function Overdue({ kind }: { kind: KindPanel }) {
  const { words } = useSpeech();
  return (
    <span class="overdue" data-some={kind.overdue > 0}>
      <Sign name="overdue" />
      <Count n={kind.overdue} testId={`overdue-${kind.id}`} /> {words.overdue}
    </span>
  );
}

function Flows({ kind: { id, today, success } }: { kind: KindPanel }) {
  const { words } = useSpeech();
  return (
    <dl class="flows">
      <dt>
        {words.opened} <small>{words.today}</small>
      </dt>
      <dd>
        <Count n={today.opened} testId={`opened-today-${id}`} />
      </dd>
      <dt>{words.first_responded}</dt>
      <dd>
        <Count n={today.first_responded} testId={`first-responded-today-${id}`} />
      </dd>
      <dt>
        {words.closed}
        {success !== undefined && (
          <small>
            {" "}
            · {success.toLocaleLowerCase()}{" "}
            <Count n={today.resolved} testId={`resolved-today-${id}`} />
          </small>
        )}
      </dt>
      <dd>
        <Count n={today.closed} testId={`closed-today-${id}`} />
      </dd>
      <dt hidden={today.reopened === 0}>{words.reopened}</dt>
      <dd hidden={today.reopened === 0}>
        <Count n={today.reopened} testId={`reopened-today-${id}`} />
      </dd>
    </dl>
  );
}

/** A further kind of an app: vacancies beside job seekers. */
function SmallKind({ kind }: { kind: KindPanel }) {
  const { words } = useSpeech();
  const { id, label, open, overdue, today } = kind;
  return (
    <div class="small-kind" data-testid={`kind-${id}`}>
      <Count n={open} class="mid" testId={`open-${id}`} />
      <span class="small-kind-what">
        <span>
          {label}{" "}
          <span class="overdue" data-some={overdue > 0} title={words.overdue}>
            <Sign name="overdue" />
            <Count n={overdue} testId={`overdue-${id}`} />
          </span>
        </span>
        <small>
          {words.opened} <Count n={today.opened} testId={`opened-today-${id}`} /> · {words.closed}{" "}
          <Count n={today.closed} testId={`closed-today-${id}`} />
        </small>
      </span>
    </div>
  );
}
