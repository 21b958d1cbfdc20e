/** Watches the connection of a call. */

import { isUp } from "../server/request";
import type { Pulse } from "./lines/line";

const EVERY_MS = 1_000;
/** Looks without a new packet after which something is wrong: the bot's silence is sent too. */
const DOUBT_LOOKS = 2;
const SHAKY_LOOKS = 3;

export interface LinkListener {
  /** Nothing comes through at the moment. */
  onShaky(shaky: boolean): void;
  /** Nothing comes through and the server does not answer either. */
  onServerGone(): void;
}

/** Look every second at the pulse of a line; returns how to stop. */
export function watchLink(pulse: () => Promise<Pulse>, listener: LinkListener): () => void {
  let before = 0;
  let still = 0;
  let shaky = false;
  const look = async () => {
    const { down, packets = 0 } = await pulse();
    still = packets > 0 && packets === before ? still + 1 : 0;
    before = packets;
    if ((down || still >= SHAKY_LOOKS) !== shaky) {
      shaky = !shaky;
      listener.onShaky(shaky);
    }
    if ((down || still >= DOUBT_LOOKS) && !(await isUp())) listener.onServerGone();
  };
  const timer = setInterval(() => void look(), EVERY_MS);
  return () => clearInterval(timer);
}

/** Packets of sound that came in, by a browser's statistics. */
export function audioPackets(report: RTCStatsReport | undefined): number {
  let packets = 0;
  for (const entry of report?.values() ?? []) {
    if (entry.type === "inbound-rtp" && entry.kind === "audio") packets += entry.packetsReceived;
  }
  return packets;
}
