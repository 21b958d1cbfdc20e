/** Straight to the server over WebRTC. */

import { SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";
import { authorization } from "../../server/request";
import { audioPackets } from "../link";
import type { Mic } from "../mic";
import { NO_ANSWER, type Problem } from "../problem";
import { noPath } from "../reach";
import type { Desk, Line, Pulse, StartAnswer, Way } from "./line";

const UP = ["connected", "completed"];
const DOWN = ["disconnected", "failed"];

export function open({ mic }: Desk): Line {
  return new WebRtcLine(mic);
}

class WebRtcLine implements Line {
  readonly transport: SmallWebRTCTransport;
  private first: RTCPeerConnection | undefined;
  private iceServers: RTCIceServer[] = [];

  constructor(mic: Mic) {
    this.transport = new SmallWebRTCTransport({ mediaManager: mic });
  }

  params({ sessionId = "", iceConfig }: StartAnswer): unknown {
    this.iceServers = iceConfig?.iceServers ?? [];
    const endpoint = `sessions/${encodeURIComponent(sessionId)}/api/offer`;
    const webrtcRequestParams = { endpoint, headers: authorization() };
    return { webrtcRequestParams, iceConfig: { iceServers: this.iceServers } };
  }

  way(): Way {
    const { peer } = this;
    this.first ??= peer;
    if (peer && UP.includes(peer.iceConnectionState)) return "open";
    // The transport replaces a connection that failed, which would begin the wait anew.
    const failed = peer !== this.first || peer?.iceConnectionState === "failed";
    return this.first?.remoteDescription && failed ? "broken" : "pending";
  }

  explain(): Problem {
    return this.way() === "open" ? NO_ANSWER : noPath(this.iceServers);
  }

  async pulse(): Promise<Pulse> {
    const { peer } = this;
    const down = DOWN.includes(peer?.iceConnectionState ?? "");
    return { down, packets: audioPackets(await peer?.getStats()) };
  }

  async send(track: MediaStreamTrack): Promise<void> {
    await this.peer?.getTransceivers()[0]?.sender.replaceTrack(track);
  }

  flush(): void {}

  async close(): Promise<void> {}

  /** The connection under the call; the transport has it and tells nobody. */
  private get peer(): RTCPeerConnection | undefined {
    return (this.transport as unknown as { pc: RTCPeerConnection | null }).pc ?? undefined;
  }
}
