/**
 * Keeps one socket to the server, through restarts and dead links, without any person.
 *
 * All that touches the world comes in as `Io`, so that a test is the network.
 */
import { STALE_AFTER_MS } from "./age.ts";
import { pause } from "./backoff.ts";
import { type LocalClocks, type Mark, markOf, since } from "./clock.ts";
import { type ClientMessage, readMessage, type ServerMessage } from "./messages.ts";

/** Why there is no socket: nothing answers, or something answers and will not have us now. */
export type Fault = "network" | "server";

/** Why there will be none until a person acts. */
export type Refusal = "key_missing" | "key_refused" | "revoked" | "limit" | "protocol";

export interface Link {
  /** `waiting`: pausing before the next attempt; `refused`: no further attempt by itself. */
  readonly phase: "connecting" | "open" | "waiting" | "refused";
  readonly fault: Fault | undefined;
  readonly refusal: Refusal | undefined;
  /** The status or close code that says more to the person who repairs it. */
  readonly code: number | undefined;
}

export type TicketAnswer =
  | { readonly ticket: string }
  | { readonly fault: Fault; readonly code?: number; readonly retryAfterMs?: number }
  | { readonly refusal: Refusal; readonly code: number };

export interface SocketEvents {
  opened(): void;
  heard(frame: string): void;
  closed(code: number): void;
}

export interface Socket {
  send(text: string): void;
  close(): void;
}

export interface Io {
  readonly clocks: LocalClocks;
  /** Answers, and never rejects: a failure is an answer too. */
  takeTicket(): Promise<TicketAnswer>;
  open(ticket: string, events: SocketEvents): Socket;
  later(ms: number, act: () => void): () => void;
  random(): number;
}

export interface Listener {
  /** The socket stands; what is to be said first. */
  opened(): void;
  heard(message: ServerMessage): void;
  link(link: Link): void;
}

/** A connection that held this long was a good one: its end starts the pauses from the shortest. */
const GOOD_AFTER_MS = 10_000;
/** No answer to a ticket or a handshake by then is an answer. */
const HANDSHAKE_MS = 10_000;

/**
 * A heartbeat comes every 15 s, and two seconds are for its way. Who hears none by then is not
 * told by a living server that its picture is old: the socket is what is broken.
 */
const HEARTBEAT_DUE_MS = 17_000;

const CONNECTING: Link = {
  phase: "connecting",
  fault: undefined,
  refusal: undefined,
  code: undefined,
};

export class Connection {
  readonly #io: Io;
  readonly #listener: Listener;
  #link: Link = CONNECTING;
  #socket: Socket | undefined;
  /** Numbers the attempts: what a given-up attempt still says is not heard. */
  #attempt = 0;
  #failures = 0;
  #began: Mark;
  #lastHeard: Mark;
  #cancelPause: () => void = () => undefined;

  constructor(io: Io, listener: Listener) {
    this.#io = io;
    this.#listener = listener;
    this.#began = this.#lastHeard = markOf(io.clocks);
  }

  get link(): Link {
    return this.#link;
  }

  /** Whether a socket stands on which the server's heartbeats come when they are due. */
  get hearing(): boolean {
    return this.#link.phase === "open" && this.#silence() <= HEARTBEAT_DUE_MS;
  }

  /** Connects now: at the start, on a person's word, or when the machine has a network again. */
  connect(): void {
    this.#abandon();
    void this.#dial(this.#attempt);
  }

  stop(): void {
    this.#abandon();
    this.#tell({ ...CONNECTING, phase: "refused" });
  }

  send(message: ClientMessage): void {
    if (this.#link.phase === "open") this.#socket?.send(JSON.stringify(message));
  }

  /** Gives the socket up and connects again after a pause. */
  hangUp(fault: Fault, code?: number): void {
    this.#abandon();
    this.#pauseAfter(fault, code);
  }

  /** To be called about once a second: notices what has stopped happening. */
  tick(): void {
    if (this.#link.phase === "open" && this.#silence() > STALE_AFTER_MS) this.hangUp("network");
    const handshaking = this.#link.phase === "connecting";
    if (handshaking && since(this.#began, this.#io.clocks) > HANDSHAKE_MS) this.hangUp("network");
  }

  async #dial(attempt: number): Promise<void> {
    this.#began = markOf(this.#io.clocks);
    // The fault of the attempt before stays on screen until this one has ended.
    this.#tell({ ...this.#link, phase: "connecting" });
    const answer = await this.#io.takeTicket();
    if (attempt !== this.#attempt) return;
    if ("fault" in answer) this.#pauseAfter(answer.fault, answer.code, answer.retryAfterMs);
    else if ("refusal" in answer) this.#refuse(answer.refusal, answer.code);
    else this.#socket = this.#io.open(answer.ticket, this.#events(attempt));
  }

  #events(attempt: number): SocketEvents {
    const current = (act: () => void) => (attempt === this.#attempt ? act() : undefined);
    return {
      opened: () => current(() => this.#opened()),
      heard: (frame) => current(() => this.#heard(frame)),
      closed: (code) => current(() => this.#closed(code)),
    };
  }

  #opened(): void {
    this.#began = this.#lastHeard = markOf(this.#io.clocks);
    this.#tell({ ...CONNECTING, phase: "open" });
    this.#listener.opened();
  }

  #heard(frame: string): void {
    this.#lastHeard = markOf(this.#io.clocks);
    let message: ServerMessage | undefined;
    try {
      message = readMessage(frame);
    } catch {
      this.hangUp("server");
      return;
    }
    if (message !== undefined) this.#listener.heard(message);
  }

  #closed(code: number): void {
    const wasOpen = this.#link.phase === "open";
    this.#abandon();
    const refusal = refusalOf(code);
    if (refusal !== undefined) this.#refuse(refusal, code);
    // A handshake that fails after a good ticket was refused by something that answers.
    else this.#pauseAfter(wasOpen && code === 1006 ? "network" : faultOf(code), code);
  }

  #pauseAfter(fault: Fault, code?: number, atLeastMs = 0): void {
    const held = this.#link.phase === "open" && since(this.#began, this.#io.clocks);
    if (held !== false && held > GOOD_AFTER_MS) this.#failures = 0;
    const ms = pause(this.#failures, this.#io.random(), atLeastMs);
    this.#failures += 1;
    this.#cancelPause = this.#io.later(ms, () => this.connect());
    this.#tell({ phase: "waiting", fault, refusal: undefined, code });
  }

  #refuse(refusal: Refusal, code: number): void {
    this.#tell({ phase: "refused", fault: "server", refusal, code });
  }

  /** Ends whatever is under way; nothing of it is heard any more. */
  #abandon(): void {
    this.#attempt += 1;
    this.#cancelPause();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #silence(): number {
    return since(this.#lastHeard, this.#io.clocks);
  }

  #tell(link: Link): void {
    this.#link = link;
    this.#listener.link(link);
  }
}

/** Contract 3.4: the range of a close code says whether to come back. */
function refusalOf(code: number): Refusal | undefined {
  if (code < 4500 || code > 4999) return undefined;
  if (code === 4501) return "key_refused";
  if (code === 4503) return "revoked";
  return code === 4504 ? "limit" : "protocol";
}

/** 1006 and 4413 (too slow) tell of the way here, the other codes are a server's own words. */
function faultOf(code: number): Fault {
  return code === 4413 ? "network" : "server";
}
