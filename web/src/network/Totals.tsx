import type { NetworkTotals } from "../generated/live.ts";
import { allFlows } from "../model/kinds.ts";
import { Count } from "../parts/Count.tsx";
import { useSpeech } from "../parts/page.ts";
import { Sign, type SignName } from "../parts/Sign.tsx";

/** The network in six numbers. */
export function Totals({ totals }: { totals: NetworkTotals }) {
  const { words } = useSpeech();
  const today = allFlows(totals.today);
  return (
    <section class="totals" aria-label={words.totals}>
      <Total n={totals.open} label={words.open} testId="open-total" main />
      <Total n={totals.overdue} label={words.overdue} testId="overdue-total" sign="overdue" />
      <Total n={today.opened} label={words.opened} note={words.today} testId="opened-today-total" />
      <Total
        n={today.first_responded}
        label={words.first_responded}
        note={words.today}
        testId="first-responded-today-total"
      />
      <Total n={today.closed} label={words.closed} note={words.today} testId="closed-today-total" />
      <Total
        n={totals.sources_silent}
        label={words.silentLabel}
        testId="silent-total"
        sign="silent"
      />
    </section>
  );
}

interface TotalProps {
  n: number;
  label: string;
  testId: string;
  note?: string;
  main?: boolean;
  /** A number that ought to be nought: marked as soon as it is not. */
  sign?: SignName;
}

function Total({ n, label, note, testId, main, sign }: TotalProps) {
  return (
    <div class="panel total" data-main={main} data-sign={n > 0 ? sign : undefined}>
      <Count n={n} class={main ? "big" : "mid"} testId={testId} />
      <span class="total-label">
        {sign !== undefined && <Sign name={sign} />}
        {label} {note !== undefined && <small>{note}</small>}
      </span>
    </div>
  );
}
