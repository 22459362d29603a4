import { type Hour, scaleMarks, sumOf } from "../model/hours.ts";
import { Heading } from "../parts/Heading.tsx";
import { useSpeech } from "../parts/page.ts";

/** How the day runs: opened against closed in each of the last 24 hours. */
export function DayChart({ hours }: { hours: readonly Hour[] }) {
  const speech = useSpeech();
  const { words } = speech;
  // The hour that runs is no point of the lines: every hour would end in a fall.
  const full = hours.slice(0, -1);
  const marks = scaleMarks(Math.max(...hours.map((hour) => Math.max(hour.opened, hour.closed))));
  const top = marks.at(-1) as number;
  const height = (n: number) => 100 - (100 * n) / top;
  const total = (flow: "opened" | "closed") => speech.number(sumOf(hours, flow));
  return (
    <section class="panel day" data-testid="hours">
      <Heading
        title={words.lastDay}
        note={
          <span class="day-legend">
            <i class="key-opened" /> {words.opened}{" "}
            <b data-testid="hours-opened">{total("opened")}</b>
            <i class="key-closed" /> {words.closed}{" "}
            <b data-testid="hours-closed">{total("closed")}</b>
          </span>
        }
      />
      <div class="chart">
        {marks.map((mark) => (
          <span class="chart-mark" key={mark} style={{ top: `${height(mark)}%` }}>
            {speech.number(mark)}
          </span>
        ))}
        <svg class="chart-plot" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
          {marks.map((mark) => (
            <path class="grid" key={mark} d={`M0 ${height(mark)}H100`} />
          ))}
          <Midnight hours={hours} />
          <path class="area-opened" d={`${line(full, "opened", height)}V100H${x(0)}Z`} />
          <path class="line-closed" d={line(full, "closed", height)} />
          <path class="line-opened" d={line(full, "opened", height)} />
        </svg>
        <Ends hours={hours} height={height} />
        <HourNames hours={hours} />
      </div>
    </section>
  );
}

/** Every third hour, and the last one as now. */
function HourNames({ hours }: { hours: readonly Hour[] }) {
  const speech = useSpeech();
  const last = hours.length - 1;
  const name = (start: number, i: number) => {
    if (i === last) return speech.words.hourNow;
    const hour = speech.hour(start);
    return i < last - 1 && Number(hour) % 3 === 0 ? hour : undefined;
  };
  return (
    <>
      {hours.map(({ start }, i) => (
        <span class="chart-hour" key={start} style={{ left: `${x(i)}%` }}>
          {name(start, i)}
        </span>
      ))}
    </>
  );
}

/** Where today begins, in the region's zone. */
function Midnight({ hours }: { hours: readonly Hour[] }) {
  const speech = useSpeech();
  const i = hours.findIndex(({ start }) => speech.hour(start) === "00");
  return i < 0 ? null : <path class="midnight" d={`M${(100 * i) / hours.length} 0V100`} />;
}

/** The hour that runs: hollow points apart from the lines, because it is not over. */
function Ends({ hours, height }: { hours: readonly Hour[]; height: (n: number) => number }) {
  const i = hours.length - 1;
  const last = hours[i];
  if (last === undefined) return null;
  return (
    <>
      <i class="end end-closed" style={{ left: `${x(i)}%`, top: `${height(last.closed)}%` }} />
      <i class="end end-opened" style={{ left: `${x(i)}%`, top: `${height(last.opened)}%` }} />
    </>
  );
}

function line(
  hours: readonly Hour[],
  flow: "opened" | "closed",
  height: (n: number) => number,
): string {
  const points = hours.map((hour, i) => `${x(i)} ${height(hour[flow]).toFixed(2)}`);
  return `M${points.join("L")}`;
}

/** An hour's point stands in the middle of its hour. */
function x(i: number): number {
  return Math.round(((i + 0.5) / 24) * 10_000) / 100;
}
