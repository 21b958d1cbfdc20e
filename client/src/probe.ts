/**
 * `window.__offhook`: what the page measured, for checks that drive it from outside.
 *
 * earMs            caller's last speech to the bot's first audible sample, one figure an answer
 * bargeStopMs      caller's first speech to the bot's last audible sample, one an interruption
 * silencedBy       what silenced the playback first: "voice" (heard here) or "server"
 * events           the server's call events as they came, with `receivedMs` of the page's clock
 * micSettings      what the browser granted for the microphone
 * levels           newest levels of the microphone and of the loudspeaker, 0 to 1
 */

import type { CallEvent } from "./call/events";
import type { Levels } from "./sound/sound";

const KEPT = 2_000;

export interface Probe {
  earMs: number[];
  bargeStopMs: number[];
  silencedBy: ("voice" | "server")[];
  events: (CallEvent & { receivedMs: number })[];
  micSettings: MediaTrackSettings | undefined;
  levels: Levels | undefined;
}

declare global {
  interface Window {
    __offhook: Probe;
  }
}

export const probe: Probe = {
  earMs: [],
  bargeStopMs: [],
  silencedBy: [],
  events: [],
  micSettings: undefined,
  levels: undefined,
};

export function note(event: CallEvent): void {
  probe.events.push({ ...event, receivedMs: performance.now() });
  if (probe.events.length > KEPT) probe.events.shift();
}
