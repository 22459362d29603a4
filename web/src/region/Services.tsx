import type { ServiceLine } from "../model/services.ts";
import { Count } from "../parts/Count.tsx";
import { Heading } from "../parts/Heading.tsx";
import { useSpeech } from "../parts/page.ts";

/** Which services hold most of the backlog. */
export function Services({ lines }: { lines: readonly ServiceLine[] }) {
  const { words } = useSpeech();
  const most = lines[0]?.open ?? 1;
  return (
    <section class="panel services">
      <Heading title={words.services} note={words.servicesNote} />
      {lines.length === 0 && <p class="empty">{words.noServices}</p>}
      <ul class="service-list">
        {lines.map(({ key, name, app, open }) => (
          <li key={key} data-testid={`service-${key}`} title={app}>
            <span class="service-name">{name}</span>
            <span class="service-bar">
              <i style={{ width: `${(100 * open) / most}%` }} />
            </span>
            <Count n={open} class="service-count" />
          </li>
        ))}
      </ul>
    </section>
  );
}
