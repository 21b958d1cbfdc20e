/** Finds speech on one track by its energy: hysteresis over a floor that follows the room. */

/** The measures are those of the server's ear (`records/ear.py`), so that the figures compare. */
const ON_ABOVE_FLOOR_DB = 18;
const OFF_BELOW_ON_DB = 8;
const ON_DBFS = -44;
const ON_MIN_DBFS = -54;
const ON_MAX_DBFS = -32;
const DIGITAL_SILENCE_DBFS = -95;
/** Frames in a row above the upper threshold that make speech; a click is shorter. */
const START_FRAMES = 3;
/** Frames in a row that prolong speech just ended: the burst of a final /t/. */
const EXTEND_FRAMES = 2;
const DIP_FRAMES = 6;
const LEAD_IN_FRAMES = 20;
const HANGOVER_MS = 200;
const FLOOR_BLOCK_FRAMES = 3;
const FLOOR_BLOCKS = 333;
const RUNS = 200;

/** A stretch of speech, in milliseconds of the audio clock; `open` while it goes on. */
export interface Run {
  startMs: number;
  endMs: number;
  open: boolean;
}

/** Level in dB below full scale of a root mean square between 0 and 1. */
export function dbfs(rms: number): number {
  return rms > 1e-6 ? 20 * Math.log10(rms) : -120;
}

/** Feed it frames of about 10 ms, in order. */
export class SpeechGate {
  /** Speech so far, oldest first; only the newest can be open. */
  readonly runs: Run[] = [];
  private readonly room: boolean;
  private readonly floor: number[] = [];
  private block: number[] = [];
  private onDbfs = ON_DBFS;
  private lead: number[] = [];
  private loudRow = 0;
  private onRow = 0;
  private quietRow = 0;

  /** `room`: whether a microphone made the track; a synthetic voice has no room to adapt to. */
  constructor(room: boolean) {
    this.room = room;
  }

  get newest(): Run | undefined {
    return this.runs.at(-1);
  }

  feed(startMs: number, endMs: number, rms: number): void {
    const level = dbfs(rms);
    if (level >= this.onDbfs - OFF_BELOW_ON_DB) this.loud(startMs, endMs, level);
    else this.quiet();
    if (this.room) this.adapt(level);
  }

  private quiet(): void {
    this.loudRow = 0;
    this.onRow = 0;
    this.lead = [];
    this.quietRow += 1;
    if (this.quietRow >= DIP_FRAMES && this.newest) this.newest.open = false;
  }

  private loud(startMs: number, endMs: number, level: number): void {
    this.quietRow = 0;
    this.loudRow += 1;
    this.onRow = level >= this.onDbfs ? this.onRow + 1 : 0;
    this.lead = [...this.lead, startMs].slice(-LEAD_IN_FRAMES);
    const newest = this.newest;
    if (newest?.open) {
      if (this.loudRow >= EXTEND_FRAMES) newest.endMs = endMs;
      return;
    }
    const firstMs = this.lead[0] ?? startMs;
    const near = newest !== undefined && firstMs - newest.endMs < HANGOVER_MS;
    if (this.onRow >= START_FRAMES || (near && this.loudRow >= EXTEND_FRAMES)) {
      this.runs.push({ startMs: firstMs, endMs, open: true });
      if (this.runs.length > RUNS) this.runs.shift();
    }
  }

  /** Follow the quietest moment of the last ten seconds: nobody talks so long on one breath. */
  private adapt(level: number): void {
    if (level < DIGITAL_SILENCE_DBFS) return;
    this.block.push(level);
    if (this.block.length < FLOOR_BLOCK_FRAMES) return;
    this.floor.push(this.block.reduce((sum, one) => sum + one, 0) / this.block.length);
    this.block = [];
    if (this.floor.length > FLOOR_BLOCKS) this.floor.shift();
    const wanted = Math.min(...this.floor) + ON_ABOVE_FLOOR_DB;
    this.onDbfs = Math.min(Math.max(wanted, ON_MIN_DBFS), ON_MAX_DBFS);
  }
}
