/** Speech as numbers: samples of the audio graph to 16-bit PCM and back. */

/** Rates that the server speaks on a WebSocket. */
export const CALLER_HZ = 16_000;
export const BOT_HZ = 24_000;
/** Samples of one message of the caller's: 20 ms. */
export const CALLER_CHUNK = CALLER_HZ / 50;

export function toPcm(samples: Float32Array): Int16Array {
  return Int16Array.from(samples, (sample) => {
    const clipped = Math.max(-1, Math.min(1, sample));
    return Math.round(clipped * 32_767);
  });
}

export function fromPcm(samples: Int16Array): Float32Array {
  return Float32Array.from(samples, (sample) => sample / 32_768);
}

/** Cuts a stream into chunks of equal length. */
export class Chunker {
  private rest = new Float32Array(0);
  private readonly length: number;

  constructor(length: number) {
    this.length = length;
  }

  push(samples: Float32Array): Float32Array[] {
    const all = new Float32Array(this.rest.length + samples.length);
    all.set(this.rest);
    all.set(samples, this.rest.length);
    const count = Math.floor(all.length / this.length);
    this.rest = all.slice(count * this.length);
    return Array.from({ length: count }, (_, at) =>
      all.slice(at * this.length, (at + 1) * this.length),
    );
  }
}
