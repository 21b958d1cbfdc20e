/** Changes the sample rate of a stream: a low-pass of windowed sincs, read at any place. */

/** Zero crossings of the low-pass on each side; more is steeper and slower. */
const CROSSINGS = 12;
/** Places between two samples that the filter is worked out for. */
const PHASES = 160;
/** Where the low-pass begins, as a share of the lower rate's half. */
const ROLL_OFF = 0.92;

export class Resampler {
  private readonly step: number;
  private readonly half: number;
  private readonly filters: Float32Array[];
  private history: Float32Array;
  /** Place of the next output sample in `history`. */
  private at: number;

  constructor(fromHz: number, toHz: number) {
    this.step = fromHz / toHz;
    const cutoff = Math.min(1, toHz / fromHz) * ROLL_OFF;
    this.half = Math.ceil(CROSSINGS / cutoff);
    this.filters = Array.from({ length: PHASES }, (_, at) =>
      filter(cutoff, this.half, at / PHASES),
    );
    this.history = new Float32Array(this.half);
    this.at = this.half;
  }

  /** The next stretch of the stream at the new rate; a little of it comes with the next call. */
  push(samples: Float32Array): Float32Array {
    const known = new Float32Array(this.history.length + samples.length);
    known.set(this.history);
    known.set(samples, this.history.length);
    const out: number[] = [];
    for (; this.at + this.half + 1 < known.length; this.at += this.step) {
      out.push(this.read(known, this.at));
    }
    const used = Math.max(0, Math.min(known.length, Math.floor(this.at) - this.half));
    this.history = known.slice(used);
    this.at -= used;
    return Float32Array.from(out);
  }

  private read(known: Float32Array, at: number): number {
    let whole = Math.floor(at);
    let phase = Math.round((at - whole) * PHASES);
    if (phase === PHASES) {
      whole += 1;
      phase = 0;
    }
    const taps = this.filters[phase] ?? [];
    const from = whole - this.half + 1;
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap += 1)
      sum += (known[from + tap] ?? 0) * (taps[tap] ?? 0);
    return sum;
  }
}

/** The taps around a place that lies `offset` after a sample. */
function filter(cutoff: number, half: number, offset: number): Float32Array {
  const taps = Float32Array.from({ length: 2 * half }, (_, tap) => {
    const distance = tap - half + 1 - offset;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (half + 1));
    return sinc(cutoff * distance) * window;
  });
  const gain = taps.reduce((sum, tap) => sum + tap, 0);
  return taps.map((tap) => tap / gain);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
