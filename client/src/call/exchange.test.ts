import {
  DeviceError,
  LogLevel,
  PipecatClient,
  RTVIEvent,
  RTVIMessage,
} from "@pipecat-ai/client-js";
import { beforeEach, expect, it, vi } from "vitest";
import { DevicelessTransport } from "./deviceless";
import { Exchange } from "./exchange";
import type { Mic } from "./mic";

/** A vendor's transport that does what it is told to. */
class Vendor extends DevicelessTransport {
  readonly sent: string[] = [];

  override initialize(...[options, onMessage]: Parameters<DevicelessTransport["initialize"]>) {
    this._options = options;
    this._callbacks = options.callbacks ?? {};
    this._onMessage = onMessage;
  }

  override async _connect(): Promise<void> {
    this.state = "connected";
    this._callbacks.onConnected?.();
  }

  override async _disconnect(): Promise<void> {
    this.state = "disconnected";
    this._callbacks.onDisconnected?.();
  }

  override sendReadyMessage(): void {
    this.state = "ready";
    this._onMessage(new RTVIMessage("bot-ready", { version: "2.0.0" }));
  }

  override sendMessage({ type }: RTVIMessage): void {
    this.sent.push(type);
  }

  override tracks() {
    return { local: {} };
  }

  say = (): typeof this._callbacks => this._callbacks;
}

const happened: string[] = [];
let exchange: Exchange;
let client: PipecatClient;

beforeEach(() => {
  vi.stubGlobal("window", globalThis);
  happened.length = 0;
  const mic = { tell: () => undefined, initialize: async () => undefined } as Partial<Mic>;
  exchange = new Exchange({ ...mic, disconnect: async () => undefined } as Mic);
  client = new PipecatClient({ transport: exchange });
  client.setLogLevel(LogLevel.NONE);
  client.on(RTVIEvent.Disconnected, () => happened.push("disconnected"));
  client.on(RTVIEvent.Error, () => happened.push("error"));
  client.on(RTVIEvent.DeviceError, () => happened.push("device error"));
  client.on(RTVIEvent.TransportStateChanged, (state) => happened.push(state));
});

async function connected(): Promise<Vendor> {
  const vendor = new Vendor();
  exchange.plug(vendor);
  await client.connect();
  return vendor;
}

it("connects the client over the line that is plugged in", async () => {
  const vendor = await connected();
  expect(client.state).toBe("ready");
  client.sendClientMessage("hello");
  expect(vendor.sent).toEqual(["client-message"]);
  await client.disconnect();
  expect(client.state).toBe("disconnected");
  expect(happened).toContain("disconnected");
});

it("takes a line that fails for one that is lost, not for a bot that failed", async () => {
  const vendor = await connected();
  vendor.say().onError?.(RTVIMessage.error("ejected", true));
  expect(happened.filter((one) => one.endsWith("ed"))).toContain("disconnected");
  expect(happened).not.toContain("error");
});

it("hears nothing more of a line that was unplugged", async () => {
  const former = await connected();
  const { onDisconnected, onTransportStateChanged } = former.say();
  await client.disconnect();
  await connected();
  happened.length = 0;
  onDisconnected?.();
  onTransportStateChanged?.("error");
  expect(happened).toEqual([]);
  expect(client.state).toBe("ready");
});

it("leaves devices to the page's own microphone", async () => {
  const vendor = await connected();
  vendor.say().onDeviceError?.(new DeviceError(["cam"], "not-found"));
  expect(happened).not.toContain("device error");
});
