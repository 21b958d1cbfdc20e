/** One phone on the page: the microphone, a line to the bot, the loudspeaker. */

import {
  DeviceError,
  LogLevel,
  PipecatClient,
  RTVIEvent,
  type RTVIMessage,
} from "@pipecat-ai/client-js";
import type { Choice } from "../server/catalog";
import { RefusedError, readRefusal, UNREACHABLE } from "../server/refusal";
import { release, request } from "../server/request";
import { Sound } from "../sound/sound";
import { Exchange } from "./exchange";
import {
  type Line,
  type LineName,
  openLine,
  type Pulse,
  prepareLine,
  type StartAnswer,
  sessionOf,
} from "./lines/line";
import { Mic } from "./mic";
import { NotConnectedError, patience } from "./patience";

/** What the last call may take to be over before the next one begins all the same. */
const PARTING_MS = 3_000;

export type Step = "microphone" | "line" | "connecting";

/** The browser lets the page be heard only once the person has clicked somewhere. */
export class ClickNeededError extends Error {}
/** The person hung up while it was dialling. */
export class HungUpError extends Error {}

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
  private readonly exchange = new Exchange(this.mic);
  private line: Line | undefined;
  private session: string | undefined;
  private attempt = 0;
  private lastCall: Promise<unknown> = Promise.resolve();
  /** Between picking up and hanging up. */
  private offHook = false;

  constructor() {
    const client = new Client({ transport: this.exchange, enableMic: true, enableCam: false });
    client.onInterrupted = () => {
      this.line?.flush();
      this.sound.interrupted();
    };
    client.setLogLevel(LogLevel.ERROR);
    this.client = client;
    this.client.on(RTVIEvent.TrackStarted, (track, participant) => {
      if (track.kind !== "audio") return;
      if (participant?.local) this.sound.listenTo(track);
      else this.sound.play(track);
    });
    this.mic.onReplaced = (track) => void this.line?.send(track);
  }

  /** Load what a call over this line needs, ahead of the call. */
  prepare(transport: LineName): void {
    prepareLine(transport).catch(() => undefined);
  }

  /** Open the microphone without a call, to choose one and see that it works. */
  async tryMic(): Promise<void> {
    if (!window.isSecureContext) throw new DeviceError(["mic"], "undefined-mediadevices");
    await this.sound.open();
    await this.client.initDevices();
    if (!(await this.sound.start())) throw new ClickNeededError();
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
      await within(PARTING_MS, this.lastCall);
      step("microphone");
      await this.tryMic();
      this.sound.reset();
      this.client.enableMic(true);
      step("line");
      const line = await this.take(choice.transport);
      const answer = await this.order(choice, () => step("connecting"));
      await this.connect(line, answer);
    } catch (error) {
      if (attempt === this.attempt) throw error;
      if (!this.offHook) await this.closeMic();
      throw new HungUpError();
    }
  }

  /** End the call here and on the server. What must happen as the page goes comes first. */
  async hangUp(): Promise<void> {
    this.attempt += 1;
    this.offHook = false;
    const { line, session } = this;
    this.line = undefined;
    this.session = undefined;
    if (session) release(session);
    this.sound.play(undefined);
    const gone = this.client.disconnect();
    await this.closeMic();
    this.lastCall = gone.then(() => line?.close()).catch(() => undefined);
    await this.lastCall;
    if (!this.line) this.exchange.plug(undefined);
  }

  /** Open the microphone again if it was unplugged or stopped under the call. */
  async keepMic(): Promise<void> {
    await this.mic.revive();
  }

  get micSettings(): MediaTrackSettings | undefined {
    return this.mic.settings;
  }

  async pulse(): Promise<Pulse> {
    return (await this.line?.pulse()) ?? { down: false, packets: undefined };
  }

  private async take(transport: LineName): Promise<Line> {
    const { mic, sound } = this;
    const line = await openLine(transport, { mic, sound }).catch(() => {
      throw new RefusedError(UNREACHABLE);
    });
    this.line = line;
    this.exchange.plug(line.transport);
    return line;
  }

  /** Ask the server for the call; a session that comes too late is given back. */
  private async order(choice: Choice, goOn: () => void): Promise<StartAnswer> {
    const answer = await request<StartAnswer>("start", choice);
    const session = sessionOf(answer);
    try {
      goOn();
    } catch (error) {
      if (session) release(session);
      throw error;
    }
    this.session = session;
    return answer;
  }

  private async connect(line: Line, answer: StartAnswer): Promise<void> {
    const ready = this.client.connect(line.params(answer));
    ready.catch(() => undefined);
    const lost = new Promise<never>((_, reject) => {
      // The transport tells why it gave up only after it has told that it did.
      const drop = () => setTimeout(() => reject(new NotConnectedError(line.explain())), 100);
      this.client.once(RTVIEvent.Disconnected, drop);
      ready.finally(() => this.client.off(RTVIEvent.Disconnected, drop)).catch(() => undefined);
    });
    lost.catch(() => undefined);
    try {
      await patience(Promise.race([ready, lost]), line);
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause instanceof Response) throw new RefusedError(await readRefusal(cause));
      if (cause instanceof TypeError) throw new RefusedError(UNREACHABLE);
      throw error instanceof NotConnectedError ? error : new NotConnectedError(line.explain());
    }
  }
}

async function within(ms: number, task: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([task, late]);
  clearTimeout(timer);
}
