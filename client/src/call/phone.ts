/** One phone on the page: the microphone, the line to the server, the loudspeaker. */

import {
  DeviceError,
  LogLevel,
  PipecatClient,
  RTVIEvent,
  type RTVIMessage,
} from "@pipecat-ai/client-js";
import { SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";
import type { Choice } from "../server/catalog";
import { RefusedError, readRefusal, UNREACHABLE } from "../server/refusal";
import { authorization, request } from "../server/request";
import { Sound } from "../sound/sound";
import { Mic } from "./mic";

const PATIENCE_MS = 30_000;

export type Step = "microphone" | "line" | "connecting";

/** The person hung up while it was dialling. */
export class HungUpError extends Error {}
/** The server took the call and the bot never came. */
export class NoAnswerError extends Error {}

interface StartAnswer {
  sessionId: string;
  iceConfig?: { iceServers: RTCIceServer[] };
}

/** The client passes over the message by which the server says that the bot fell silent. */
class Client extends PipecatClient {
  onInterrupted: (() => void) | undefined;

  protected override handleMessage(message: RTVIMessage): void {
    if (message.type === "bot-interrupted") this.onInterrupted?.();
    super.handleMessage(message);
  }
}

export class Phone {
  readonly client: PipecatClient;
  readonly sound = new Sound();
  private readonly mic = new Mic();
  private readonly transport: SmallWebRTCTransport;
  private attempt = 0;
  /** Between picking up and hanging up. */
  private offHook = false;

  constructor() {
    this.transport = new SmallWebRTCTransport({ mediaManager: this.mic });
    const client = new Client({ transport: this.transport, enableMic: true, enableCam: false });
    client.onInterrupted = () => this.sound.interrupted();
    client.setLogLevel(LogLevel.ERROR);
    this.client = client;
    this.client.on(RTVIEvent.TrackStarted, (track, participant) => {
      if (track.kind !== "audio") return;
      if (participant?.local) this.sound.listenTo(track);
      else this.sound.play(track);
    });
    this.mic.onReplaced = (track) => void this.send(track);
  }

  /** Open the microphone without a call, to choose one and see that it works. */
  async tryMic(): Promise<void> {
    if (!window.isSecureContext) throw new DeviceError(["mic"], "undefined-mediadevices");
    await this.sound.open();
    await this.client.initDevices();
  }

  async closeMic(): Promise<void> {
    await this.mic.disconnect();
    this.sound.listenTo(undefined);
  }

  /** Call the bot; returns when it is there. Every refusal is thrown. */
  async dial(choice: Choice, onStep: (step: Step) => void): Promise<void> {
    this.attempt += 1;
    this.offHook = true;
    const { attempt } = this;
    const step = (next: Step) => {
      if (attempt !== this.attempt) throw new HungUpError();
      onStep(next);
    };
    try {
      step("microphone");
      await this.tryMic();
      this.sound.reset();
      this.client.enableMic(true);
      step("line");
      const answer = await request<StartAnswer>("start", { transport: "webrtc", ...choice });
      step("connecting");
      await this.connect(answer);
    } catch (error) {
      if (attempt === this.attempt) throw error;
      if (!this.offHook) await this.closeMic();
      throw new HungUpError();
    }
  }

  async hangUp(): Promise<void> {
    this.attempt += 1;
    this.offHook = false;
    this.sound.play(undefined);
    const gone = this.client.disconnect();
    await this.closeMic();
    await gone;
  }

  /** Open the microphone again if it was unplugged or stopped under the call. */
  async keepMic(): Promise<void> {
    await this.mic.revive();
  }

  get micSettings(): MediaTrackSettings | undefined {
    return this.mic.settings;
  }

  /** The connection under the call; the transport has it and tells nobody. */
  get peer(): RTCPeerConnection | undefined {
    return (this.transport as unknown as { pc: RTCPeerConnection | null }).pc ?? undefined;
  }

  private async connect({ sessionId, iceConfig }: StartAnswer): Promise<void> {
    const endpoint = `sessions/${encodeURIComponent(sessionId)}/api/offer`;
    const ready = this.client.connect({
      webrtcRequestParams: { endpoint, headers: authorization() },
      iceConfig,
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    let dropped = () => {};
    const given = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswerError()), PATIENCE_MS);
      // The transport tells why it gave up only after it has told that it did.
      dropped = () => setTimeout(() => reject(new NoAnswerError()), 100);
      this.client.once(RTVIEvent.Disconnected, dropped);
    });
    try {
      await Promise.race([ready, given]);
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause instanceof Response) throw new RefusedError(await readRefusal(cause));
      if (cause instanceof TypeError) throw new RefusedError(UNREACHABLE);
      throw error;
    } finally {
      clearTimeout(timer);
      this.client.off(RTVIEvent.Disconnected, dropped);
      ready.catch(() => undefined);
      given.catch(() => undefined);
    }
  }

  private async send(track: MediaStreamTrack): Promise<void> {
    const sender = this.peer?.getTransceivers()[0]?.sender;
    await sender?.replaceTrack(track);
  }
}
