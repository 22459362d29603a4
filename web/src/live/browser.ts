/** The world as a browser has it: tickets by fetch, a WebSocket, timers. */
import { accessKey, authorization } from "./access.ts";
import { browserClocks } from "./clock.ts";
import type { Io, Socket, SocketEvents, TicketAnswer } from "./connection.ts";

const PROTOCOL = "kentongan.v1";
/** Below the connection's own limit, so that the request does not outlive its attempt. */
const TICKET_MS = 9_000;

export const browserIo: Io = {
  clocks: browserClocks,
  takeTicket,
  open,
  later: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

async function takeTicket(): Promise<TicketAnswer> {
  try {
    const response = await fetch("/v1/live/tickets", {
      method: "POST",
      headers: authorization(),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(TICKET_MS),
    });
    return response.ok ? readTicket(await response.json()) : readRefusal(response);
  } catch {
    return { fault: "network" };
  }
}

function readTicket(body: unknown): TicketAnswer {
  const ticket = (body as { ticket?: unknown } | null)?.ticket;
  return typeof ticket === "string" ? { ticket } : { fault: "server" };
}

function readRefusal({ status, headers }: Response): TicketAnswer {
  if (status === 401 || status === 403) {
    return { refusal: accessKey() === undefined ? "key_missing" : "key_refused", code: status };
  }
  const seconds = Number(headers.get("Retry-After") ?? 0);
  const retryAfterMs = Number.isFinite(seconds) ? Math.min(seconds, 60) * 1000 : 0;
  return { fault: "server", code: status, retryAfterMs };
}

function open(ticket: string, events: SocketEvents): Socket {
  const address = new URL("/v1/live", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address, [PROTOCOL, `ticket.${ticket}`]);
  socket.onopen = () => events.opened();
  socket.onmessage = ({ data }) => events.heard(String(data));
  socket.onclose = ({ code }) => events.closed(code);
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => socket.close(),
  };
}
