/** Through a room at Daily. Its code is fetched from Daily's servers when a call begins. */

import type { DailyCall } from "@daily-co/daily-js";
import { DailyTransport } from "@pipecat-ai/daily-transport";
import type { Mic } from "../mic";
import type { Problem } from "../problem";
import { BOT_NOT_THERE, DAILY_UNREACHABLE, dailyRefused } from "../reach";
import type { Desk, Line, Pulse, StartAnswer, Way } from "./line";

const OPEN = ["connected", "ready"];

export function open({ mic }: Desk): Line {
  return new DailyLine(mic);
}

class DailyLine implements Line {
  readonly transport: Room;
  private readonly mic: Mic;
  private refusal: string | undefined;
  private interrupted = false;

  constructor(mic: Mic) {
    this.mic = mic;
    this.transport = new Room({
      // Else the code would be run by eval, which the page's policy forbids.
      dailyConfig: { avoidEval: true, useDevicePreferenceCookies: false },
      subscribeToTracksAutomatically: true,
      videoSource: false,
    });
    const { call } = this.transport;
    call.on("error", ({ error, errorMsg }) => {
      if (error?.type !== "connection-error") this.refusal = errorMsg;
    });
    call.on("network-connection", ({ event }) => {
      this.interrupted = event === "interrupted";
    });
  }

  params({ dailyRoom, dailyToken }: StartAnswer): unknown {
    const { audio = false } = this.mic.tracks().local;
    return { url: dailyRoom, token: dailyToken, audioSource: audio };
  }

  way(): Way {
    if (OPEN.includes(this.transport.state)) return "open";
    return this.refusal === undefined ? "pending" : "broken";
  }

  explain(): Problem {
    if (this.way() === "open") return BOT_NOT_THERE;
    return this.refusal === undefined ? DAILY_UNREACHABLE : dailyRefused(this.refusal);
  }

  async pulse(): Promise<Pulse> {
    return { down: this.interrupted, packets: undefined };
  }

  async send(track: MediaStreamTrack): Promise<void> {
    await this.transport.call.setInputDevicesAsync({ audioSource: track });
  }

  flush(): void {}

  async close(): Promise<void> {
    await this.transport.call.destroy();
  }
}

class Room extends DailyTransport {
  /** The call under the transport, which shows it without what ends it. */
  get call(): DailyCall {
    return (this as unknown as { _daily: DailyCall })._daily;
  }

  /** The page's microphone is muted at its source. */
  override enableMic(): void {}
}
