/** The two ends of a call that goes as PCM: what the caller says, what the bot says. */

import { BOT_HZ, CALLER_CHUNK, CALLER_HZ, Chunker, fromPcm, toPcm } from "./pcm";
import { Playout } from "./playout";
import { Resampler } from "./resampler";

declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** Posts what it hears, 20 ms at a time. */
class Caller extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, CALLER_HZ);
  private readonly chunker = new Chunker(CALLER_CHUNK);

  process([input]: Float32Array[][]): boolean {
    const samples = input?.[0];
    if (!samples) return true;
    for (const chunk of this.chunker.push(this.resampler.push(samples))) {
      const pcm = toPcm(chunk);
      this.port.postMessage(pcm.buffer, [pcm.buffer]);
    }
    return true;
  }
}

/** Plays the PCM it is given, in order; `flush` in its place drops what still waits. */
class Bot extends AudioWorkletProcessor {
  private resampler = new Resampler(BOT_HZ, sampleRate);
  private readonly playout = new Playout(sampleRate);

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<Int16Array | "flush">) => {
      if (data === "flush") {
        this.playout.flush();
        this.resampler = new Resampler(BOT_HZ, sampleRate);
      } else {
        this.playout.push(this.resampler.push(fromPcm(data)));
      }
    };
  }

  process(_: Float32Array[][], [output]: Float32Array[][]): boolean {
    if (output?.[0]) this.playout.read(output[0]);
    return true;
  }
}

registerProcessor("pcm-caller", Caller);
registerProcessor("pcm-bot", Bot);
