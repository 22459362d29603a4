/** Messages of the subprotocol `kentongan.v1`, as they come off the wire. */
import type { ServerMessage } from "../generated/live.ts";
import { isObject } from "./patch.ts";

export type {
  ChannelPosition,
  ClientMessage,
  Delta,
  Heartbeat,
  NetworkState,
  ProblemBody,
  RegionState,
  ServerMessage,
  Snapshot,
  TicketOut,
} from "../generated/live.ts";

const KNOWN = new Set<ServerMessage["op"]>([
  "hello",
  "snapshot",
  "resumed",
  "delta",
  "heartbeat",
  "problem",
]);

/**
 * Returns the message in a frame, or nothing for one that this build does not know.
 *
 * A later server may say more than we understand; that is no reason to hang up.
 *
 * @throws SyntaxError the frame is not JSON, so the other side is not our server.
 */
export function readMessage(frame: string): ServerMessage | undefined {
  const value: unknown = JSON.parse(frame);
  if (!isObject(value) || !KNOWN.has(value.op as ServerMessage["op"])) return undefined;
  return value as unknown as ServerMessage;
}
