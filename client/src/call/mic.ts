/**
 * The microphone, the same for every line, as a transport wants it. The transports' own code for
 * this runs on a script from Daily's servers; this one needs nothing but the browser.
 */

import { DeviceError, type DeviceErrorType, type RTVIEventCallbacks } from "@pipecat-ai/client-js";

const CONSTRAINTS = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  channelCount: 1,
} satisfies MediaTrackConstraints;

const LOCAL = { id: "local", name: "", local: true };
const TYPES: Record<string, DeviceErrorType> = {
  NotAllowedError: "permissions",
  SecurityError: "permissions",
  NotFoundError: "not-found",
  OverconstrainedError: "constraints",
  NotReadableError: "in-use",
  AbortError: "in-use",
};

type Device = MediaDeviceInfo | Record<string, never>;

export class Mic {
  readonly supportsScreenShare = false;
  readonly isCamEnabled = false;
  readonly isSharingScreen = false;
  readonly selectedCam: Device = {};
  readonly selectedSpeaker: Device = {};
  /** Called with each track that takes over from another one. */
  onReplaced: (track: MediaStreamTrack) => void = () => undefined;
  private callbacks: RTVIEventCallbacks = {};
  private track: MediaStreamTrack | undefined;
  private devices: MediaDeviceInfo[] = [];
  private wanted = "";
  private enabled = true;

  constructor() {
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.list());
  }

  /** Whom to tell of tracks and devices. */
  tell(callbacks: RTVIEventCallbacks): void {
    this.callbacks = callbacks;
  }

  /** A line's transport calls this; whom to tell is the page's business. */
  setClientOptions(): void {}

  /** Ask for the microphone and open it, unless it is open. */
  async initialize(): Promise<void> {
    if (this.track?.readyState === "live") return;
    try {
      await this.open();
    } catch (error) {
      throw this.refusal(error);
    }
  }

  async connect(): Promise<void> {
    await this.initialize();
  }

  async disconnect(): Promise<void> {
    const { track } = this;
    this.track = undefined;
    track?.stop();
    if (track) this.callbacks.onTrackStopped?.(track, LOCAL);
  }

  /** Take another microphone; at once if one is open. */
  async updateMic(deviceId: string): Promise<void> {
    this.wanted = deviceId;
    if (!this.track) return this.tellChosen();
    try {
      await this.open();
    } catch (error) {
      this.refusal(error);
    }
  }

  /** The microphone went away or was stopped under the call: open it again, or another one. */
  async revive(): Promise<void> {
    if (this.track?.readyState !== "ended") return;
    const present = (await this.list()).some((device) => device.deviceId === this.wanted);
    await this.updateMic(present ? this.wanted : "");
  }

  enableMic(enable: boolean): void {
    if (enable === this.enabled) return;
    this.enabled = enable;
    if (!this.track) return;
    this.track.enabled = enable;
    const told = enable ? this.callbacks.onTrackStarted : this.callbacks.onTrackStopped;
    told?.(this.track, LOCAL);
  }

  get isMicEnabled(): boolean {
    return this.enabled;
  }

  get selectedMic(): Device {
    const id = this.track?.getSettings().deviceId ?? this.wanted;
    return this.devices.find((device) => device.deviceId === id) ?? {};
  }

  /** What the browser grants of what was asked for. */
  get settings(): MediaTrackSettings | undefined {
    return this.track?.getSettings();
  }

  tracks(): { local: { audio?: MediaStreamTrack } } {
    return { local: this.track ? { audio: this.track } : {} };
  }

  async getAllMics(): Promise<MediaDeviceInfo[]> {
    return this.list();
  }

  async getAllCams(): Promise<MediaDeviceInfo[]> {
    return [];
  }

  async getAllSpeakers(): Promise<MediaDeviceInfo[]> {
    return [];
  }

  updateCam(): void {}
  updateSpeaker(): void {}
  enableCam(): void {}
  enableScreenShare(): void {}

  private async open(): Promise<void> {
    if (!navigator.mediaDevices) throw new DeviceError(["mic"], "undefined-mediadevices");
    const device = this.wanted ? { deviceId: { exact: this.wanted } } : {};
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { ...CONSTRAINTS, ...device },
    });
    const [track] = stream.getAudioTracks();
    if (!track) throw new DeviceError(["mic"], "not-found");
    const former = this.track;
    track.enabled = this.enabled;
    this.track = track;
    if (former) this.onReplaced(track);
    former?.stop();
    await this.list();
    this.tellChosen();
    this.callbacks.onTrackStarted?.(track, LOCAL);
  }

  private tellChosen(): void {
    const chosen = this.selectedMic;
    if (chosen.deviceId) this.callbacks.onMicUpdated?.(chosen as MediaDeviceInfo);
  }

  private async list(): Promise<MediaDeviceInfo[]> {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    this.devices = all.filter((device) => device.kind === "audioinput");
    this.callbacks.onAvailableMicsUpdated?.(this.devices);
    return this.devices;
  }

  private refusal(error: unknown): DeviceError {
    const type = error instanceof Error ? TYPES[error.name] : undefined;
    const refusal =
      error instanceof DeviceError
        ? error
        : new DeviceError(["mic"], type ?? "unknown", String(error));
    this.callbacks.onDeviceError?.(refusal);
    return refusal;
  }
}
