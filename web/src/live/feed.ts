/**
 * One channel on this screen: joins connection, reducer and clock, and offers the result as
 * signals. Everything that is drawn reads from here, and nothing that is drawn writes here.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { type Age, ageOf } from "./age.ts";
import {
  type Channel,
  openChannel,
  type Picture,
  reduce,
  type Step,
  subscribe,
} from "./channel.ts";
import { type Mark, markOf, ServerClock, since } from "./clock.ts";
import { Connection, type Io, type Link } from "./connection.ts";
import type { ProblemBody, ServerMessage } from "./messages.ts";
import { SeenReports } from "./seen.ts";

/** A subscription that is not answered by then is asked for again on a new connection. */
const ANSWER_MS = 15_000;
/** One that was declined for good is asked for again too, since a register changes; rarely. */
const DECLINED_MS = 60_000;

export class Feed<State> {
  readonly #io: Io;
  readonly #connection: Connection;
  readonly #clock: ServerClock;
  readonly #seen: SeenReports;
  #asked: Mark | undefined;

  readonly #channel;
  readonly #link;
  readonly #instant = signal<number | undefined>(undefined);
  readonly #hearing = signal(false);

  /** What is on the wall: the newest, or the last one held while there is no newer. */
  readonly picture: ReadonlySignal<Picture<State> | undefined>;
  readonly link: ReadonlySignal<Link>;
  /** Server time in ms, moving once a second. */
  readonly now: ReadonlySignal<number | undefined>;
  readonly age: ReadonlySignal<Age | undefined>;
  /** The server's answer to a subscription that it will not grant. */
  readonly problem: ReadonlySignal<ProblemBody | undefined>;

  constructor(name: string, io: Io) {
    this.#io = io;
    this.#clock = new ServerClock(io.clocks);
    this.#seen = new SeenReports(io.clocks);
    this.#channel = signal<Channel<State>>(openChannel(name));
    this.#connection = new Connection(io, {
      opened: () => this.#take(subscribe(this.#channel.peek())),
      heard: (message) => this.#heard(message),
      link: (link) => this.#tell(link),
    });
    this.#link = signal(this.#connection.link);
    this.picture = computed(() => this.#channel.value.picture);
    this.problem = computed(() => this.#channel.value.problem);
    this.link = this.#link;
    this.now = computed(() => wholeSecond(this.#instant.value));
    this.age = computed(() => this.#age());
  }

  /** Connects, and returns how to stop. */
  start(): () => void {
    const tick = () => {
      this.#tick();
      cancel = this.#io.later(this.#untilNextSecond(), tick);
    };
    let cancel = () => {};
    tick();
    this.#connection.connect();
    return () => {
      cancel();
      this.#connection.stop();
    };
  }

  /** Does not wait out a pause: the machine has a network again. */
  retry(): void {
    if (this.#link.peek().phase === "waiting") this.#connection.connect();
  }

  /** Begins anew with what the screen now has to show for itself. */
  reconnect(): void {
    this.#connection.connect();
  }

  /** To be called when the picture of `rev` has been painted. */
  painted(rev: number, eventTime: number | undefined): void {
    const now = this.#clock.now();
    if (now === undefined || eventTime === undefined || Number.isNaN(eventTime)) return;
    const message = this.#seen.report(this.#channel.peek().name, rev, eventTime, now);
    if (message !== undefined) this.#connection.send(message);
  }

  #heard(message: ServerMessage): void {
    if (message.op === "hello") this.#clock.restart(message.server_time);
    if (message.op === "heartbeat") this.#clock.hear(message.server_time);
    this.#take(reduce(this.#channel.peek(), message));
    this.#refresh();
  }

  #take(step: Step<State>): void {
    this.#channel.value = step.channel;
    if (step.say !== undefined) {
      this.#asked = markOf(this.#io.clocks);
      this.#connection.send(step.say);
    }
    if (step.hangUp) this.#connection.hangUp("server");
  }

  #tell(link: Link): void {
    this.#link.value = link;
    this.#refresh();
  }

  #tick(): void {
    this.#connection.tick();
    const { awaiting, problem } = this.#channel.peek();
    const patience = problem?.retryable === false ? DECLINED_MS : ANSWER_MS;
    const late = this.#asked !== undefined && since(this.#asked, this.#io.clocks) > patience;
    if (awaiting && late && this.#connection.hearing) this.#connection.hangUp("server");
    this.#refresh();
  }

  #refresh(): void {
    this.#hearing.value = this.#connection.hearing;
    this.#instant.value = this.#clock.now();
  }

  #age(): Age | undefined {
    const picture = this.#channel.value.picture;
    if (picture === undefined) return undefined;
    return ageOf({
      now: this.#instant.value,
      currentAt: picture.currentAt,
      hearing: this.#hearing.value,
      fault: this.#link.value.fault,
    });
  }

  /** The clock on the wall moves with the server's second, not with this machine's. */
  #untilNextSecond(): number {
    const now = this.#clock.now();
    return now === undefined ? 1000 : 1005 - (now % 1000);
  }
}

function wholeSecond(instant: number | undefined): number | undefined {
  return instant === undefined ? undefined : Math.floor(instant / 1000) * 1000;
}
