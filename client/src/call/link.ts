/** Watches the connection of a call. */

import { isUp } from "../server/request";

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

/** Look every second at the connection that `peer` gives; returns how to stop. */
export function watchLink(
  peer: () => RTCPeerConnection | undefined,
  listener: LinkListener,
): () => void {
  let packets = 0;
  let still = 0;
  let shaky = false;
  const look = async () => {
    const state = peer()?.iceConnectionState;
    const now = await packetsReceived(peer());
    still = now > 0 && now === packets ? still + 1 : 0;
    packets = now;
    const down = state === "disconnected" || state === "failed";
    if ((down || still >= SHAKY_LOOKS) !== shaky) {
      shaky = !shaky;
      listener.onShaky(shaky);
    }
    if ((down || still >= DOUBT_LOOKS) && !(await isUp())) listener.onServerGone();
  };
  const timer = setInterval(() => void look(), EVERY_MS);
  return () => clearInterval(timer);
}

async function packetsReceived(peer: RTCPeerConnection | undefined): Promise<number> {
  let packets = 0;
  for (const report of (await peer?.getStats())?.values() ?? []) {
    if (report.type === "inbound-rtp" && report.kind === "audio") packets += report.packetsReceived;
  }
  return packets;
}
