/** The page's sound: plays the bot through a gain that can be shut, and measures all of it. */

import { Duck, type Verdict } from "./duck";
import { Ear, type EarEvent } from "./ear";
import meterUrl from "./meter.worklet.ts?worker&url";
import { dbfs } from "./speech";

/** Short enough to be at once, long enough not to click. */
const FADE_SECS = 0.004;
const MAX_LATENCY_SECS = 0.5;
const LEAVE_MS = 1_000;

/** Root mean squares of the newest frame, 0 to 1. */
export interface Levels {
  caller: number;
  bot: number;
}

export interface SoundListener {
  onEar(event: EarEvent): void;
  onVerdict(verdict: Verdict): void;
}

export class Sound {
  /** Read by what is drawn, as often as it is drawn. */
  readonly levels: Levels = { caller: 0, bot: 0 };
  listener: SoundListener = { onEar: () => undefined, onVerdict: () => undefined };
  private ear = new Ear();
  private duck = new Duck();
  private context: AudioContext | undefined;
  private meter: AudioWorkletNode | undefined;
  private gate: GainNode | undefined;
  private caller: MediaStreamAudioSourceNode | undefined;
  private bot: AudioNode | undefined;
  private pump: HTMLAudioElement | undefined;

  /** Make everything ready; what is done here on a click counts as leave to play. */
  async open(): Promise<void> {
    this.context ??= new AudioContext({ latencyHint: "interactive" });
    const { context } = this;
    void context.resume();
    context.onstatechange = () => {
      if (context.state !== "running" && this.bot) void context.resume();
    };
    if (this.meter) return;
    await context.audioWorklet.addModule(meterUrl);
    this.meter = new AudioWorkletNode(context, "meter", { numberOfInputs: 3, numberOfOutputs: 0 });
    this.meter.port.onmessage = ({ data }) => this.frame(data);
    this.gate = context.createGain();
    this.gate.connect(context.destination);
    this.gate.connect(this.meter, 0, 2);
  }

  /** Begin to play; false where the browser wants a click first. */
  async start(): Promise<boolean> {
    const { graph } = this;
    // A browser that wants a click leaves the question open. One that gave the page a
    // microphone mostly wants none.
    const waited = new Promise((resolve) => setTimeout(resolve, LEAVE_MS));
    await Promise.race([graph.resume(), waited]);
    return graph.state === "running";
  }

  /** Forget what was heard in the last call. */
  reset(): void {
    this.ear = new Ear();
    this.duck = new Duck();
    this.setGain(1);
  }

  listenTo(track: MediaStreamTrack | undefined): void {
    this.caller?.disconnect();
    this.caller = this.source(track);
    if (this.meter) this.caller?.connect(this.meter, 0, 0);
  }

  /** Let the bot be heard: a track of the line's, or a node of this same graph. */
  play(bot: MediaStreamTrack | AudioNode | undefined): void {
    this.bot?.disconnect();
    this.pump?.pause();
    this.pump = undefined;
    const track = bot instanceof AudioNode ? undefined : bot;
    this.bot = bot instanceof AudioNode ? bot : this.source(bot);
    if (!this.bot || !this.meter || !this.gate) return;
    if (track) this.pump = keepFlowing(track);
    this.bot.connect(this.meter, 0, 1);
    this.bot.connect(this.gate);
  }

  /** The graph, for a line whose sound comes as samples. */
  get graph(): AudioContext {
    if (!this.context) throw new Error("the sound is not open");
    return this.context;
  }

  /** The server says that the caller took the floor; it says so whether or not the bot had it. */
  interrupted(): void {
    if (!this.duck.botAudible) return;
    this.ear.interrupt();
    this.judge(this.duck.interrupted());
  }

  /** The server says that a reply begins. */
  replyStarted(): void {
    this.judge(this.duck.replyStarted());
  }

  /** The server says that the bot goes on after a pause for nothing. */
  wentOn(): void {
    this.ear.wentOn();
    this.judge(this.duck.wentOn());
  }

  private source(track: MediaStreamTrack | undefined): MediaStreamAudioSourceNode | undefined {
    if (!track || !this.context) return undefined;
    return this.context.createMediaStreamSource(new MediaStream([track]));
  }

  private frame([startMs, endMs, caller, raw, heard]: number[]): void {
    if (startMs === undefined || endMs === undefined) return;
    this.levels.caller = caller ?? 0;
    this.levels.bot = heard ?? 0;
    const callerDbfs = dbfs(caller ?? 0);
    this.judge(this.duck.frame({ startMs, endMs, callerDbfs, botDbfs: dbfs(raw ?? 0) }));
    for (const event of this.ear.feed({ startMs, endMs, caller: caller ?? 0, bot: heard ?? 0 })) {
      this.listener.onEar(this.asHeard(event));
    }
  }

  /** Sound leaves the loudspeaker some time after the graph made it. */
  private asHeard(event: EarEvent): EarEvent {
    const secs = this.context?.outputLatency ?? 0;
    const lagMs = secs > 0 && secs < MAX_LATENCY_SECS ? secs * 1000 : 0;
    return event.kind === "answer"
      ? { ...event, earMs: event.earMs + lagMs }
      : { ...event, stopMs: event.stopMs + lagMs };
  }

  private judge(verdict: Verdict | undefined): void {
    if (!verdict) return;
    this.setGain(verdict.kind === "silence" ? 0 : 1);
    if (verdict.kind === "restore" && verdict.falseAlarm) this.ear.discard();
    this.listener.onVerdict(verdict);
  }

  private setGain(gain: 0 | 1): void {
    if (!this.context || !this.gate) return;
    this.gate.gain.cancelScheduledValues(this.context.currentTime);
    this.gate.gain.setTargetAtTime(gain, this.context.currentTime, FADE_SECS);
  }
}

/** Chromium feeds a remote track to the graph only while an element plays it too. */
function keepFlowing(track: MediaStreamTrack): HTMLAudioElement {
  const pump = new Audio();
  pump.muted = true;
  pump.srcObject = new MediaStream([track]);
  void pump.play().catch(() => undefined);
  return pump;
}
