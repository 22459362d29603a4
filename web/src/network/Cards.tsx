import { allFlows } from "../model/kinds.ts";
import type { RegionCard } from "../model/network.ts";
import { roundCeiling } from "../model/places.ts";
import { Count } from "../parts/Count.tsx";
import { useSpeech } from "../parts/page.ts";
import { Sign } from "../parts/Sign.tsx";

/** A card is about twice as wide as high, and so is the room for all of them. */
export function columnsFor(cards: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(cards * 1.6)));
}

export function Cards({ cards }: { cards: readonly RegionCard[] }) {
  const speech = useSpeech();
  const columns = columnsFor(cards.length);
  const ceiling = roundCeiling(Math.max(0, ...cards.map((card) => card.open)));
  const digits = Math.max(3, ...cards.map((card) => speech.number(card.open).length));
  const rows = Math.max(1, Math.ceil(cards.length / columns));
  return (
    <main
      class="cards"
      style={{ "--columns": columns, "--rows": rows, "--digits": digits }}
      data-testid="regions"
    >
      {cards.map((card) => (
        <Card key={card.code} card={card} ceiling={ceiling} />
      ))}
    </main>
  );
}

function Card({ card, ceiling }: { card: RegionCard; ceiling: number }) {
  const speech = useSpeech();
  const { words, lang } = speech;
  const today = allFlows(card.today);
  const id = `region-${card.code}`;
  const need = card.sources_silent > 0 ? "silent" : card.overdue > 0 ? "overdue" : undefined;
  return (
    <a
      class="panel card"
      href={`/wall/${card.code}${lang === "en" ? "?lang=en" : ""}`}
      data-testid={id}
      data-need={need}
      data-quiet={card.seq === 0}
    >
      <span class="card-name">
        <b>{card.name}</b>
        <small>{card.code}</small>
      </span>
      <span class="card-open">
        <Count n={card.open} class="card-count" testId={`${id}-open`} />
        <small>{words.open}</small>
      </span>
      <span class="card-flows">
        <small>{words.opened}</small>
        <Count n={today.opened} testId={`${id}-opened-today`} />
        <small>{words.first_responded}</small>
        <Count n={today.first_responded} testId={`${id}-first-responded-today`} />
        <small>{words.closed}</small>
        <Count n={today.closed} testId={`${id}-closed-today`} />
      </span>
      <span class="card-bar" aria-hidden="true">
        <i class="card-late" style={{ width: `${(100 * card.overdue) / ceiling}%` }} />
        <i style={{ width: `${(100 * (card.open - card.overdue)) / ceiling}%` }} />
      </span>
      <span class="card-needs">
        <span class="overdue" data-some={card.overdue > 0}>
          <Sign name="overdue" />
          <Count n={card.overdue} testId={`${id}-overdue`} /> {words.overdue}
        </span>
        <span class="silent" data-some={card.sources_silent > 0}>
          <Sign name={card.sources_silent > 0 ? "silent" : "live"} />
          <span data-testid={`${id}-silent`}>
            {card.sources_silent > 0
              ? words.silentSources(speech.number(card.sources_silent))
              : words.allHeard}
          </span>
        </span>
      </span>
      <small class="card-seq" data-testid={`${id}-seq`}>
        {card.seq === 0 ? words.noEvents : words.events(speech.number(card.seq))}
      </small>
    </a>
  );
}
