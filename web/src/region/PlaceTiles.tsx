import type { ComponentChildren } from "preact";
import type { Places, Tile } from "../model/places.ts";
import { Count } from "../parts/Count.tsx";
import { Heading } from "../parts/Heading.tsx";
import { useSpeech } from "../parts/page.ts";
import { appName } from "../words/families.ts";

interface Props {
  places: Places;
  /** Drawn where the region's layout has room to spare. */
  children?: ComponentChildren;
}

/** Backlog by kecamatan, one tile each, laid out as the neighbourhoods lie. */
export function PlaceTiles({ places, children }: Props) {
  const speech = useSpeech();
  const { words } = speech;
  const { columns, rows, hole } = places.layout;
  return (
    <section class="panel places">
      <Heading title={words.places} note={words.placesNote(speech.number(places.total))} />
      <div class="tiles" style={{ "--columns": columns, "--rows": rows }}>
        {places.tiles.map((tile) => (
          <PlaceTile key={tile.area} tile={tile} />
        ))}
        {hole !== undefined && (
          <div class="hole" style={{ gridColumn: hole.column, gridRow: hole.row }}>
            {children}
          </div>
        )}
      </div>
      <Foot places={places} />
    </section>
  );
}

function PlaceTile({ tile }: { tile: Tile }) {
  const { area, name, open, column, row, amount, parts } = tile;
  return (
    <div
      class="tile"
      data-testid={`tile-${area}`}
      data-none={open === 0}
      style={{ gridColumn: column, gridRow: row, "--amount": amount.toFixed(3) }}
    >
      <span class="tile-name">{name}</span>
      <Count n={open} class="tile-count" testId={`tile-count-${area}`} />
      {parts.length > 1 && (
        <span class="split" aria-hidden="true">
          {parts.map((n, i) => (
            <i key={i} data-app={i % 4} style={{ flexGrow: n }} />
          ))}
        </span>
      )}
    </div>
  );
}

function Foot({ places }: { places: Places }) {
  const speech = useSpeech();
  const { words } = speech;
  return (
    <div class="places-foot">
      <span class="split-key" hidden={places.apps.length < 2}>
        {places.apps.map((app, i) => (
          <span key={app}>
            <i data-app={i % 4} />
            {appName(app)}
          </span>
        ))}
      </span>
      <span class="placeless" data-some={places.placeless > 0} data-testid="placeless">
        {words.placeless(speech.number(places.placeless))}
      </span>
    </div>
  );
}
