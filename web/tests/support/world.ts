/** A world for one connection: its clock stands until told, its network does what a test says. */
import type { Io, Socket, SocketEvents, TicketAnswer } from "../../src/live/connection.ts";
import type { ServerMessage } from "../../src/live/messages.ts";
import { START } from "./messages.ts";

interface Timer {
  at: number;
  act: () => void;
}

export class FakeSocket implements Socket {
  readonly said: unknown[] = [];
  closed = false;
  readonly ticket: string;
  readonly events: SocketEvents;

  constructor(ticket: string, events: SocketEvents) {
    this.ticket = ticket;
    this.events = events;
  }

  send(text: string): void {
    this.said.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
  }

  hear(...messages: ServerMessage[]): void {
    for (const message of messages) this.events.heard(JSON.stringify(message));
  }
}

export class World implements Io {
  steady = 1_000;
  wall = START;
  #timers: Timer[] = [];
  readonly sockets: FakeSocket[] = [];
  /** What the next requests for a ticket are answered; the last answer stays. */
  tickets: TicketAnswer[] = [];
  asked = 0;

  readonly clocks = { steady: () => this.steady, wall: () => this.wall };
  readonly random = () => 0.5;

  async takeTicket(): Promise<TicketAnswer> {
    this.asked += 1;
    const next = this.tickets.length > 1 ? this.tickets.shift() : this.tickets[0];
    return next ?? { ticket: `t${this.asked}` };
  }

  open(ticket: string, events: SocketEvents): Socket {
    const socket = new FakeSocket(ticket, events);
    this.sockets.push(socket);
    return socket;
  }

  later(ms: number, act: () => void): () => void {
    const timer = { at: this.steady + ms, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get socket(): FakeSocket {
    return this.sockets.at(-1) as FakeSocket;
  }

  get waiting(): number {
    return this.#timers.length;
  }

  /** Lets time pass, with whatever falls due in it. */
  async pass(ms: number): Promise<void> {
    const end = this.steady + ms;
    await settle();
    for (;;) {
      const due = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      const to = due?.at ?? end;
      this.wall += to - this.steady;
      this.steady = to;
      if (due === undefined) return settle();
      this.#timers = this.#timers.filter((other) => other !== due);
      due.act();
      await settle();
    }
  }

  /** Accepts the newest socket. */
  async accept(): Promise<FakeSocket> {
    await settle();
    this.socket.events.opened();
    return this.socket;
  }
}

/** Lets promises that are already kept be heard. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
