/** Through a room of a LiveKit server. */

import { type PipecatClientOptions, RTVIMessage, type Tracks } from "@pipecat-ai/client-js";
import {
  ConnectionError,
  ConnectionErrorReason,
  DisconnectReason,
  type LocalAudioTrack,
  LogLevel,
  type RemoteTrack,
  Room,
  RoomEvent,
  setLogLevel,
  Track,
} from "livekit-client";
import { DevicelessTransport } from "../deviceless";
import { audioPackets } from "../link";
import type { Mic } from "../mic";
import type { Problem } from "../problem";
import { BOT_NOT_THERE, LIVEKIT_REFUSED, liveKitUnreachable } from "../reach";
import type { Desk, Line, Pulse, StartAnswer, Way } from "./line";

/** LiveKit takes no larger message on its reliable channel. */
const MESSAGE_BYTES = 15 * 1024;

export function open({ mic }: Desk): Line {
  setLogLevel(LogLevel.warn);
  return new LiveKitLine(mic);
}

class LiveKitLine implements Line {
  readonly transport: LiveKitTransport;
  private url = "";

  constructor(mic: Mic) {
    this.transport = new LiveKitTransport(mic);
  }

  params({ url = "", token = "" }: StartAnswer): unknown {
    this.url = url;
    return { url, token };
  }

  way(): Way {
    return this.transport.joined ? "open" : "pending";
  }

  explain(): Problem {
    if (this.transport.joined) return BOT_NOT_THERE;
    return this.transport.refused ? LIVEKIT_REFUSED : liveKitUnreachable(this.url);
  }

  async pulse(): Promise<Pulse> {
    const { bot, shaky } = this.transport;
    return { down: shaky, packets: audioPackets(await bot?.getRTCStatsReport()) };
  }

  async send(track: MediaStreamTrack): Promise<void> {
    await this.transport.caller?.replaceTrack(track, { userProvidedTrack: true });
  }

  flush(): void {}

  async close(): Promise<void> {}
}

/** RTVI messages as JSON on the reliable data channel, as Pipecat's LiveKitTransport has them. */
class LiveKitTransport extends DevicelessTransport {
  joined = false;
  /** The server was there and did not want us. */
  refused = false;
  shaky = false;
  caller: LocalAudioTrack | undefined;
  bot: RemoteTrack | undefined;
  private readonly room = new Room();
  private readonly mic: Mic;
  private botCame: () => void = () => undefined;
  private readonly botThere = new Promise<void>((resolve) => {
    this.botCame = resolve;
  });

  constructor(mic: Mic) {
    super();
    this.mic = mic;
    this._maxMessageSize = MESSAGE_BYTES;
  }

  override initialize(options: PipecatClientOptions, onMessage: (message: RTVIMessage) => void) {
    this._options = options;
    this._callbacks = options.callbacks ?? {};
    this._onMessage = onMessage;
    this.room
      .on(RoomEvent.DataReceived, (payload) => this.read(payload))
      .on(RoomEvent.TrackSubscribed, (track) => this.hear(track))
      .on(RoomEvent.ParticipantDisconnected, ({ identity }) => {
        this._callbacks.onBotDisconnected?.({ id: identity, name: "bot", local: false });
      })
      .on(RoomEvent.Reconnecting, () => this.tremble(true))
      .on(RoomEvent.SignalReconnecting, () => this.tremble(true))
      .on(RoomEvent.Reconnected, () => this.tremble(false))
      .on(RoomEvent.Disconnected, (reason) => {
        if (reason !== DisconnectReason.CLIENT_INITIATED) this._callbacks.onDisconnected?.();
      });
  }

  override async _connect(params: { url: string; token: string }): Promise<void> {
    this.state = "connecting";
    try {
      await this.room.connect(params.url, params.token);
      this.joined = true;
      const { audio } = this.mic.tracks().local;
      if (audio) await this.publish(audio);
    } catch (error) {
      this.refused =
        error instanceof ConnectionError && error.reason === ConnectionErrorReason.NotAllowed;
      this.state = "error";
      throw error;
    }
    if (this._abortController?.signal.aborted) return this._disconnect();
    this.state = "connected";
    this._callbacks.onConnected?.();
  }

  override async _disconnect(): Promise<void> {
    this.state = "disconnecting";
    await this.room.disconnect(false);
    this.state = "disconnected";
    this._callbacks.onDisconnected?.();
  }

  /** What is said before the bot is in the room is not heard by it. */
  override async sendReadyMessage(): Promise<void> {
    await this.botThere;
    this.state = "ready";
    this.sendMessage(RTVIMessage.clientReady());
  }

  override sendMessage(message: RTVIMessage): void {
    const payload = new TextEncoder().encode(JSON.stringify(message));
    void this.room.localParticipant.publishData(payload, { reliable: true });
  }

  override tracks(): Tracks {
    return this.mic.tracks();
  }

  private async publish(track: MediaStreamTrack): Promise<void> {
    const options = { source: Track.Source.Microphone, stopMicTrackOnMute: false };
    const published = await this.room.localParticipant.publishTrack(track, options);
    this.caller = published.audioTrack;
  }

  private hear(track: RemoteTrack): void {
    if (track.kind !== Track.Kind.Audio) return;
    this.bot = track;
    this._callbacks.onTrackStarted?.(track.mediaStreamTrack);
    this.botCame();
  }

  private read(payload: Uint8Array): void {
    const message = parse(payload);
    if (message) this._onMessage(message);
  }

  private tremble(shaky: boolean): void {
    this.shaky = shaky;
  }
}

/** The RTVI message in a packet; undefined if it is somebody else's. */
export function parse(payload: Uint8Array): RTVIMessage | undefined {
  try {
    const message: unknown = JSON.parse(new TextDecoder().decode(payload));
    const ours = typeof message === "object" && message !== null && "label" in message;
    return ours && message.label === "rtvi-ai" ? (message as RTVIMessage) : undefined;
  } catch {
    return undefined;
  }
}
