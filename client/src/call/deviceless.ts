/** A transport that opens no device: the page's own microphone does. */

import { Transport, type TransportState } from "@pipecat-ai/client-js";

type Device = MediaDeviceInfo | Record<string, never>;

export abstract class DevicelessTransport extends Transport {
  get state(): TransportState {
    return this._state;
  }

  set state(state: TransportState) {
    if (this._state === state) return;
    this._state = state;
    this._callbacks.onTransportStateChanged?.(state);
  }

  get selectedMic(): Device {
    return {};
  }

  get selectedCam(): Device {
    return {};
  }

  get selectedSpeaker(): Device {
    return {};
  }

  get isMicEnabled(): boolean {
    return true;
  }

  get isCamEnabled(): boolean {
    return false;
  }

  get isSharingScreen(): boolean {
    return false;
  }

  async initDevices(): Promise<void> {}

  async getAllMics(): Promise<MediaDeviceInfo[]> {
    return [];
  }

  async getAllCams(): Promise<MediaDeviceInfo[]> {
    return [];
  }

  async getAllSpeakers(): Promise<MediaDeviceInfo[]> {
    return [];
  }

  updateMic(_deviceId: string): void {}
  updateCam(): void {}
  updateSpeaker(): void {}
  enableMic(_enable: boolean): void {}
  enableCam(): void {}
  enableScreenShare(): void {}

  _validateConnectionParams(params?: unknown): unknown {
    return params;
  }
}
