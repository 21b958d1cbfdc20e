/** Over one WebSocket to the server: PCM and messages in Pipecat's protobuf frames. */

import { ProtobufFrameSerializer, WebSocketTransport } from "@pipecat-ai/websocket-transport";
import { CALLER_HZ } from "../../sound/pcm";
import type { Sound } from "../../sound/sound";
import { Wire } from "../../sound/wire";
import type { Mic } from "../mic";
import { NO_ANSWER, type Problem } from "../problem";
import { SOCKET_CLOSED } from "../reach";
import type { Desk, Line, Pulse, StartAnswer, Way } from "./line";

/** First byte of a frame that holds field 5, `interruption`. */
const INTERRUPTION = 0x2a;
const OPEN = ["connected", "ready"];

export async function open({ mic, sound }: Desk): Promise<Line> {
  return new WebSocketLine(mic, sound, await Wire.over(sound.graph));
}

class WebSocketLine implements Line {
  readonly transport: Socket;
  private readonly wire: Wire;

  constructor(mic: Mic, sound: Sound, wire: Wire) {
    this.wire = wire;
    const media = new PcmMedia(mic, sound, wire);
    const serializer = new Serializer(() => wire.flush());
    // The transport's type asks for its own class of media; what it calls of it is here.
    const mediaManager = media as never;
    this.transport = new Socket({ mediaManager, serializer, recorderSampleRate: CALLER_HZ });
  }

  params({ wsUrl = "" }: StartAnswer): unknown {
    return { wsUrl: socketUrl(wsUrl, location.href) };
  }

  way(): Way {
    return OPEN.includes(this.transport.state) ? "open" : "pending";
  }

  explain(): Problem {
    return this.way() === "open" ? NO_ANSWER : SOCKET_CLOSED;
  }

  /** A bot that is silent sends nothing here, so there is nothing to count. */
  async pulse(): Promise<Pulse> {
    return { down: this.transport.stuck, packets: undefined };
  }

  async send(track: MediaStreamTrack): Promise<void> {
    this.wire.listenTo(track);
  }

  flush(): void {
    this.wire.flush();
  }

  async close(): Promise<void> {
    this.wire.close();
  }
}

/** The server's address for the socket, by the scheme that this page may use. */
export function socketUrl(wsUrl: string, page: string): string {
  const url = new URL(wsUrl, page);
  const secure = new URL(page).protocol === "https:";
  url.protocol = secure || url.protocol === "wss:" ? "wss:" : "ws:";
  return url.href;
}

class Socket extends WebSocketTransport {
  /** What the caller said before the bot is there would come late and all at once. */
  override handleUserAudioStream(pcm: ArrayBuffer): void {
    if (this.state === "ready") super.handleUserAudioStream(pcm);
  }

  override async _connect(params?: { wsUrl?: string }): Promise<void> {
    await super._connect(params);
    // A socket that opened after the hang-up would hold the call.
    if (this._abortController?.signal.aborted) await this._disconnect();
  }

  override connectionError(): void {
    this.state = "error";
    this._callbacks.onDisconnected?.();
  }

  /** Whether what is sent piles up in this browser: more than a second of the caller. */
  get stuck(): boolean {
    type Wrapped = { _ws: { _ws: { _ws: WebSocket } | null } | null };
    const socket = (this as unknown as Wrapped)._ws?._ws?._ws;
    return (socket?.bufferedAmount ?? 0) > 2 * CALLER_HZ;
  }
}

/** The part of a transport's media that concerns sound; devices are the exchange's. */
class PcmMedia {
  private readonly mic: Mic;
  private readonly sound: Sound;
  private readonly wire: Wire;

  constructor(mic: Mic, sound: Sound, wire: Wire) {
    this.mic = mic;
    this.sound = sound;
    this.wire = wire;
  }

  setUserAudioCallback(callback: (pcm: ArrayBuffer) => void): void {
    this.wire.onCaller = callback;
  }

  async connect(): Promise<void> {
    this.sound.play(this.wire.bot);
    this.wire.listenTo(this.mic.tracks().local.audio);
  }

  async disconnect(): Promise<void> {
    this.wire.listenTo(undefined);
  }

  bufferBotAudio(pcm: Int16Array): void {
    this.wire.say(pcm);
  }

  setClientOptions(): void {}
  async initialize(): Promise<void> {}
  enableMic(): void {}
}

/** Pipecat's frames in the order they came, and the one that says that the bot was interrupted. */
class Serializer extends ProtobufFrameSerializer {
  private before: Promise<unknown> = Promise.resolve();
  private readonly onInterruption: () => void;

  constructor(onInterruption: () => void) {
    super();
    this.onInterruption = onInterruption;
  }

  override deserialize(data: Blob): ReturnType<ProtobufFrameSerializer["deserialize"]> {
    const read = this.before.then(() => this.read(data));
    this.before = read.catch(() => undefined);
    return read;
  }

  private async read(data: Blob): ReturnType<ProtobufFrameSerializer["deserialize"]> {
    const [tag] = new Uint8Array(await data.slice(0, 1).arrayBuffer());
    if (tag !== INTERRUPTION) return super.deserialize(data);
    this.onInterruption();
    return { type: "audio", audio: new Int16Array(0) };
  }
}
