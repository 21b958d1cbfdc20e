/** Measures three tracks on the audio clock: microphone, bot, and what is let through of the bot. */

declare const sampleRate: number;
declare const currentFrame: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** Two one-pole filters in a row, -3 dB at 100 Hz: room rumble is no speech. */
const POLE = Math.exp((-2 * Math.PI * 64) / sampleRate);
const GAIN = (1 + POLE) / 2;
const FRAME = Math.round(sampleRate / 100);

class Level {
  private power = 0;
  private readonly state = [0, 0, 0, 0];

  add(samples: Float32Array): void {
    let [in1 = 0, out1 = 0, in2 = 0, out2 = 0] = this.state;
    for (const sample of samples) {
      out1 = POLE * out1 + GAIN * (sample - in1);
      in1 = sample;
      out2 = POLE * out2 + GAIN * (out1 - in2);
      in2 = out1;
      this.power += out2 * out2;
    }
    this.state.splice(0, 4, in1, out1, in2, out2);
  }

  take(count: number): number {
    const rms = Math.sqrt(this.power / count);
    this.power = 0;
    return rms;
  }
}

/** Posts `[startMs, endMs, ...levels]` about every 10 ms. */
class Meter extends AudioWorkletProcessor {
  private readonly levels = [new Level(), new Level(), new Level()];
  private count = 0;
  private startMs = (currentFrame / sampleRate) * 1000;

  process(inputs: Float32Array[][]): boolean {
    this.levels.forEach((level, at) => {
      level.add(inputs[at]?.[0] ?? new Float32Array(128));
    });
    this.count += 128;
    if (this.count >= FRAME) {
      const endMs = ((currentFrame + 128) / sampleRate) * 1000;
      const levels = this.levels.map((level) => level.take(this.count));
      this.port.postMessage([this.startMs, endMs, ...levels]);
      this.startMs = endMs;
      this.count = 0;
    }
    return true;
  }
}

registerProcessor("meter", Meter);
