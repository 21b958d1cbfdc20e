/** Samples that wait to be played: begins when a little has gathered, and can be emptied at once. */

/** Chunks come unevenly; so much of them is kept before the first is played. */
const LEAD_SECS = 0.04;

export class Playout {
  private chunks: Float32Array[] = [];
  private waiting = 0;
  private waited = 0;
  private playing = false;
  private readonly lead: number;

  constructor(rateHz: number) {
    this.lead = LEAD_SECS * rateHz;
  }

  push(samples: Float32Array): void {
    if (samples.length > 0) this.chunks.push(samples);
    this.waiting += samples.length;
  }

  /** Nothing that waits will be heard. */
  flush(): void {
    this.chunks = [];
    this.waiting = 0;
    this.stop();
  }

  /** Fill `out` with what comes next, and with silence where nothing does. */
  read(out: Float32Array): void {
    out.fill(0);
    if (!this.playing && !this.begins(out.length)) return;
    let filled = 0;
    while (filled < out.length) {
      const [chunk] = this.chunks;
      if (!chunk) {
        this.stop();
        return;
      }
      const part = chunk.subarray(0, out.length - filled);
      out.set(part, filled);
      filled += part.length;
      this.waiting -= part.length;
      if (part.length === chunk.length) this.chunks.shift();
      else this.chunks[0] = chunk.subarray(part.length);
    }
  }

  /** A sound shorter than the lead is played all the same, a lead later. */
  private begins(count: number): boolean {
    if (this.waiting === 0) return false;
    this.waited += count;
    this.playing = this.waiting >= this.lead || this.waited >= this.lead;
    return this.playing;
  }

  private stop(): void {
    this.playing = false;
    this.waited = 0;
  }
}
