/** One way to reach the bot. The page's one phone takes a fresh one for each call. */

import type { Transport } from "@pipecat-ai/client-js";
import type { Sound } from "../../sound/sound";
import type { Mic } from "../mic";
import type { Problem } from "../problem";

/** What `POST /start` answers; which of it depends on the transport. */
export interface StartAnswer {
  sessionId?: string;
  iceConfig?: { iceServers: RTCIceServer[] };
  wsUrl?: string;
  dailyRoom?: string;
  dailyToken?: string;
  url?: string;
  token?: string;
}

/** How far the way to the bot is: `broken` when it will not come any more. */
export type Way = "pending" | "open" | "broken";

export interface Pulse {
  /** The connection says of itself that nothing comes through. */
  down: boolean;
  /** Packets of the bot's sound so far, where silence is sent too; else undefined. */
  packets: number | undefined;
}

export interface Line {
  readonly transport: Transport;
  /** What the transport's `connect` wants. */
  params(answer: StartAnswer): unknown;
  way(): Way;
  /** Why the way is not open. */
  explain(): Problem;
  pulse(): Promise<Pulse>;
  /** Send this microphone from now on. */
  send(track: MediaStreamTrack): Promise<void>;
  /** Throw away the bot's sound that waits to be played. */
  flush(): void;
  /** Let go of everything; the transport has disconnected. */
  close(): Promise<void>;
}

/** What a line finds on the page. */
export interface Desk {
  mic: Mic;
  sound: Sound;
}

/** Each is a file of its own that the browser loads when it is wanted. */
const LINES = {
  webrtc: () => import("./webrtc"),
  websocket: () => import("./websocket"),
  daily: () => import("./daily"),
  livekit: () => import("./livekit"),
} satisfies Record<string, () => Promise<{ open(desk: Desk): Line | Promise<Line> }>>;

export type LineName = keyof typeof LINES;

export function isLineName(name: string): name is LineName {
  return Object.hasOwn(LINES, name);
}

/** Load the code of a line, so that a call need not wait for it. */
export async function prepareLine(name: LineName): Promise<void> {
  await LINES[name]();
}

export async function openLine(name: LineName, desk: Desk): Promise<Line> {
  return (await LINES[name]()).open(desk);
}

/** The session that an answer of `/start` opened; a WebSocket's address names it too. */
export function sessionOf({ sessionId, wsUrl }: StartAnswer): string | undefined {
  return sessionId ?? wsUrl?.match(/\/sessions\/([^/?]+)/)?.[1];
}
