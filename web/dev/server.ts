/**
 * A server of made-up numbers that speaks `kentongan.v1`, to draw and try the walls against.
 *
 *   npm run build && npm run fake                 http://127.0.0.1:8765/wall/36.71
 *   node dev/server.ts --port 8766 --still        nothing happens
 *   node dev/server.ts --key rahasia              not a demo: asks for this access key
 *
 * POST /dev/projector (stops and restarts the folding), /dev/mute (sockets fall silent),
 * /dev/refuse (tickets answer 503), /dev/drop (closes all sockets), /dev/close?code=4503.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname } from "node:path";
import { parseArgs } from "node:util";
import { type WebSocket, WebSocketServer } from "ws";
import type { NetworkState, RegionState, ServerMessage } from "../src/generated/live.ts";
import { adopt, difference, type JsonObject } from "../src/live/patch.ts";
import { AREAS, feedLine, hourKey, NAMES, networkState, regionState, totalsOf } from "./city.ts";

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "8765" },
    still: { type: "boolean", default: false },
    pace: { type: "string", default: "900" },
    key: { type: "string" },
    at: { type: "string" },
  },
});

const shift = options.at === undefined ? 0 : Date.parse(options.at) - Date.now();
const now = () => Date.now() + shift;
const iso = () => new Date(now()).toISOString();

class Channel {
  state: JsonObject;
  readonly name: string;
  rev = 1;
  seq: number;
  readonly listeners = new Map<WebSocket, number>();

  constructor(name: string, state: RegionState | NetworkState, seq: number) {
    this.name = name;
    this.state = adopt(state as unknown as JsonObject) as JsonObject;
    this.seq = seq;
  }

  place() {
    const { rev, seq } = this;
    return { epoch: "dev", rev, seq, head: seq, current_at: currentAt, watermark: currentAt };
  }

  publish(next: RegionState | NetworkState): void {
    const state = adopt(next as unknown as JsonObject) as JsonObject;
    const patch = difference(this.state, state);
    if (Object.keys(patch).length === 0) return;
    this.state = state;
    this.rev += 1;
    for (const [socket, from] of this.listeners) {
      this.listeners.set(socket, this.rev);
      tell(socket, { op: "delta", channel: this.name, from, patch, ...this.place() });
    }
  }
}

const faults = { projector: false, mute: false, refuse: false };
let currentAt = iso();
const channels = new Map<string, Channel>();
for (const code of Object.keys(NAMES)) {
  channels.set(`region:${code}`, new Channel(`region:${code}`, regionState(code, now()), 48_210));
}
channels.set("network", new Channel("network", networkState(), 99_121));

function tell(socket: WebSocket, message: ServerMessage): void {
  if (!faults.mute) socket.send(JSON.stringify(message));
}

// --- HTTP ---------------------------------------------------------------------------------

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".woff2": "font/woff2",
  ".svg": "image/svg+xml",
};
const STATIC = new URL("../../app/static/", import.meta.url);
/** As app/routers/pages.py has it; a test compares the two. */
const POLICY = [
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';",
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';",
  "require-trusted-types-for 'script'; trusted-types 'none'",
].join(" ");

const server = createServer((request, response) => {
  route(request, response).catch(() => {
    response.statusCode = 404;
    response.end();
  });
});

async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  if (pathname.startsWith("/dev/")) return control(pathname.slice(5), searchParams, response);
  if (pathname === "/v1/live/tickets") return ticket(request, response);
  if (pathname.startsWith("/v1/regions/")) return region(pathname.slice(12), response);
  const file = pathname.startsWith("/static/") ? pathname.slice(8) : "index.html";
  const body = await readFile(new URL(file, STATIC));
  response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
  response.setHeader("Content-Security-Policy", POLICY);
  response.end(body);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}

function ticket(request: IncomingMessage, response: ServerResponse): void {
  const refused =
    options.key !== undefined && request.headers.authorization !== `Bearer ${options.key}`;
  if (faults.refuse) json(response, 503, { title: "Overloaded" });
  else if (refused) json(response, 401, { title: "No such credential" });
  else json(response, 201, { ticket: String(Math.random()).slice(2), expires_in: 30 });
}

function region(code: string, response: ServerResponse): void {
  const [name, level] = NAMES[code] ?? [];
  const areas = AREAS[code] ?? {};
  if (name === undefined) json(response, 404, { title: "No such region" });
  else json(response, 200, { code, name, level, timezone: "Asia/Jakarta", areas });
}

function control(word: string, query: URLSearchParams, response: ServerResponse): void {
  if (word in faults) faults[word as keyof typeof faults] = !faults[word as keyof typeof faults];
  if (word === "drop") for (const socket of sockets.clients) socket.terminate();
  if (word === "close")
    for (const socket of sockets.clients) socket.close(Number(query.get("code")));
  if (word === "event") happen(Number(query.get("n") ?? 1));
  json(response, 200, faults);
}

// --- The socket -------------------------------------------------------------------------------

const sockets = new WebSocketServer({
  server,
  path: "/v1/live",
  handleProtocols: (offered) => (offered.has("kentongan.v1") ? "kentongan.v1" : false),
});

sockets.on("connection", (socket) => {
  tell(socket, { op: "hello", server_time: iso(), heartbeat_s: 15, resume_window_s: 3600 });
  socket.on("message", (data) => answer(socket, JSON.parse(String(data))));
  socket.on("close", () => {
    for (const channel of channels.values()) channel.listeners.delete(socket);
  });
});

interface Asked {
  op: string;
  channel: string;
  position?: { epoch: string; rev: number };
}

function answer(socket: WebSocket, { op, channel: name, position }: Asked): void {
  if (op !== "subscribe") return;
  const channel = channels.get(name);
  if (channel === undefined) {
    const problem = { type: "about:blank", title: "No such channel", status: 404, detail: "" };
    tell(socket, { op: "problem", problem: { ...problem, retryable: false } });
    return;
  }
  channel.listeners.set(socket, channel.rev);
  const { epoch, rev } = channel.place();
  if (position?.epoch === epoch && position.rev === rev) {
    tell(socket, { op: "resumed", channel: name, epoch, rev });
    return;
  }
  const reason = position === undefined ? "initial" : "expired";
  const state = channel.state as unknown as RegionState;
  tell(socket, { op: "snapshot", channel: name, reason, state, ...channel.place() });
}

setInterval(() => {
  for (const socket of sockets.clients) {
    const mine = [...channels.values()].filter((channel) => channel.listeners.has(socket));
    const positions = Object.fromEntries(mine.map((channel) => [channel.name, channel.place()]));
    tell(socket, { op: "heartbeat", server_time: iso(), positions });
  }
}, 15_000);

// --- What happens in the city -------------------------------------------------------------------

setInterval(() => {
  if (!faults.projector) currentAt = iso();
}, 250);

let turn = 0;
function happen(n = 1): void {
  if (faults.projector) return;
  currentAt = iso();
  const channel = channels.get("region:36.71") as Channel;
  const state = structuredClone({ ...channel.state }) as unknown as RegionState;
  for (let i = 0; i < n; i++) submit(state, channel);
  channel.publish(state);
  publishNetwork(state, channel.seq);
}

function submit(state: RegionState, channel: Channel): void {
  turn += 1;
  channel.seq += 1;
  const areas = Object.keys(AREAS["36.71"] as object);
  const report = state.apps.laksa?.report;
  if (report === undefined) return;
  const line = feedLine(turn * 3, areas, now());
  const area = areas[(turn * 5) % areas.length] as string;
  const closing = turn % 4 === 3;
  const step = closing ? -1 : 1;
  report.open += step;
  report.by_area[area] = (report.by_area[area] ?? 0) + step;
  report.by_state.received = (report.by_state.received ?? 0) + step;
  const flow = closing ? "closed" : "opened";
  report.today[flow] = (report.today[flow] ?? 0) + 1;
  state.events_today.laksa = (state.events_today.laksa ?? 0) + 1;
  const hour = hourKey(now());
  state.hours[hour] = { ...state.hours[hour], [flow]: (state.hours[hour]?.[flow] ?? 0) + 1 };
  const source = state.sources["urn:pemda:36.71:laksa"];
  if (source !== undefined)
    Object.assign(source, { today: source.today + 1, last_event_at: iso() });
  state.latest[String(channel.seq)] = line;
  for (const old of Object.keys(state.latest)) {
    if (Number(old) <= channel.seq - 10) delete state.latest[old];
  }
}

function publishNetwork(state: RegionState, seq: number): void {
  const channel = channels.get("network") as Channel;
  const network = structuredClone({ ...channel.state }) as unknown as NetworkState;
  const mine = network.regions["36.71"];
  const report = state.apps.laksa?.report;
  if (mine === undefined || report === undefined) return;
  Object.assign(mine, { open: report.open + 1752, overdue: report.overdue, seq });
  mine.today = { ...mine.today, opened: (report.today.opened ?? 0) + 106 };
  network.totals = totalsOf(network.regions);
  channel.seq += 1;
  channel.publish(network);
}

if (!options.still) setInterval(() => happen(), Number(options.pace));
server.listen(Number(options.port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${options.port}/wall/36.71`);
});
