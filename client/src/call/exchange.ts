/** What the client takes for its transport: the page's microphone, and the line of the call. */

import type {
  PipecatClientOptions,
  RTVIEventCallbacks,
  RTVIMessage,
  Tracks,
  Transport,
} from "@pipecat-ai/client-js";
import { DevicelessTransport } from "./deviceless";
import type { Mic } from "./mic";

export class Exchange extends DevicelessTransport {
  private readonly mic: Mic;
  private inner: Transport | undefined;

  constructor(mic: Mic) {
    super();
    this.mic = mic;
  }

  override initialize(options: PipecatClientOptions, onMessage: (message: RTVIMessage) => void) {
    this._options = options;
    this._callbacks = options.callbacks ?? {};
    this._onMessage = onMessage;
    this.mic.tell(this._callbacks);
  }

  /** Take this transport for the next call; none when the call is over. */
  plug(inner: Transport | undefined): void {
    this.inner = inner;
    const options = { ...this._options, callbacks: this.ears(inner) };
    inner?.initialize(options, (message) => {
      if (this.inner === inner) this._onMessage(message);
    });
  }

  override async initDevices(): Promise<void> {
    this.state = "initializing";
    await this.mic.initialize();
    this.state = "initialized";
  }

  override async _connect(params: unknown): Promise<void> {
    if (!this.inner) throw new Error("there is no line to connect");
    await this.inner.connect(params);
  }

  override async _disconnect(): Promise<void> {
    const { inner } = this;
    this.state = "disconnecting";
    await this.mic.disconnect();
    await inner?.disconnect().catch(() => undefined);
    if (this.inner === inner) this.state = "disconnected";
  }

  override sendReadyMessage(): void {
    // A line that waits for the bot gives a promise, which the client awaits.
    // biome-ignore lint/correctness/noVoidTypeReturn: the declared type leaves the promise out
    return this.inner?.sendReadyMessage();
  }

  override sendMessage(message: RTVIMessage): void {
    this.inner?.sendMessage(message);
  }

  override get maxMessageSize(): number {
    return this.inner?.maxMessageSize ?? this._maxMessageSize;
  }

  override tracks(): Tracks {
    return this.mic.tracks();
  }

  override getAllMics(): Promise<MediaDeviceInfo[]> {
    return this.mic.getAllMics();
  }

  override updateMic(deviceId: string): void {
    void this.mic.updateMic(deviceId);
  }

  override enableMic(enable: boolean): void {
    this.mic.enableMic(enable);
    this.inner?.enableMic(enable);
  }

  override get isMicEnabled(): boolean {
    return this.mic.isMicEnabled;
  }

  override get selectedMic(): MediaDeviceInfo | Record<string, never> {
    return this.mic.selectedMic;
  }

  /** What a line may say to the client: nothing about devices, and nothing once it is unplugged. */
  private ears(inner: Transport | undefined): RTVIEventCallbacks {
    const told = this._callbacks;
    const only = <Args extends unknown[]>(tell: ((...args: Args) => void) | undefined) => {
      return (...args: Args) => {
        if (this.inner === inner) tell?.(...args);
      };
    };
    return {
      onConnected: only(told.onConnected),
      onDisconnected: only(told.onDisconnected),
      onBotConnected: only(told.onBotConnected),
      onBotDisconnected: only(told.onBotDisconnected),
      onTransportStateChanged: only((state) => {
        this.state = state;
      }),
      onTrackStarted: only((track, participant) => {
        if (!participant?.local) told.onTrackStarted?.(track, participant);
      }),
      // A line that fails is a line that is lost; only the server says that the bot has failed.
      onError: only((message) => {
        if ((message.data as { fatal?: boolean } | undefined)?.fatal) told.onDisconnected?.();
        else told.onError?.(message);
      }),
    };
  }
}
