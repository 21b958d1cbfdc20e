/**
 * Decides when the bot's playback is silenced: the moment the caller's own voice is heard here, or
 * the server says that the bot was interrupted, whichever is first.
 */

/** Voice shorter than this is a click or a cough. */
const ONSET_MS = 120;
/** Part of the onset that must be loud: speech has dips. */
const ONSET_SHARE = 0.65;
/** What an echo canceller leaves of the bot stays under this; speech has its median at -29. */
const VOICE_DBFS = -40;
/** A voice that the server does not take for an interruption gives the bot back after this. */
const DOUBT_MS = 700;
/** The interrupted reply has drained when nothing came for so long. */
const DRAINED_MS = 250;
/** The bot is never lost for longer than this once the caller is silent. */
const LOST_MS = 2_000;
/** The bot counts as audible through the gaps between its words. */
const GAP_MS = 400;
const AUDIBLE_DBFS = -50;

export interface DuckFrame {
  startMs: number;
  endMs: number;
  /** Level of the echo-cancelled microphone. */
  callerDbfs: number;
  /** Level of the bot's track before it is silenced. */
  botDbfs: number;
}

export type Verdict =
  | { kind: "silence"; by: "voice" | "server" }
  /** `falseAlarm`: what sounded like the caller was no turn, and the bot talks on. */
  | { kind: "restore"; falseAlarm: boolean };

type Hold = { confirmedAtMs: number | undefined; callerQuietSinceMs: number };

/** Feed it frames in order and what the server says; each call may answer with a verdict. */
export class Duck {
  private hold: Hold | undefined;
  private nowMs = 0;
  private botHeardMs = Number.NEGATIVE_INFINITY;
  private onset: { ms: number; loud: boolean }[] = [];

  get silenced(): boolean {
    return this.hold !== undefined;
  }

  frame({ startMs, endMs, callerDbfs, botDbfs }: DuckFrame): Verdict | undefined {
    this.nowMs = endMs;
    const loud = callerDbfs >= VOICE_DBFS;
    if (botDbfs >= AUDIBLE_DBFS) this.botHeardMs = endMs;
    if (this.hold) {
      if (loud) this.hold.callerQuietSinceMs = endMs;
      return this.release(this.hold);
    }
    if (!this.botAudible) this.onset = [];
    else if (this.isOnset(endMs - startMs, loud)) return this.silence("voice");
    return undefined;
  }

  /** Whether the bot is being heard, or was until a moment ago. */
  get botAudible(): boolean {
    return this.hold !== undefined || this.nowMs - this.botHeardMs < GAP_MS;
  }

  /** The server stopped the bot because the caller spoke. */
  interrupted(): Verdict | undefined {
    if (!this.hold) return this.silence("server");
    this.hold.confirmedAtMs ??= this.nowMs;
    return undefined;
  }

  /** The next reply begins. */
  replyStarted(): Verdict | undefined {
    return this.hold ? this.restore(false) : undefined;
  }

  /** The server took what it heard for no turn, and the bot talks on. */
  wentOn(): Verdict | undefined {
    return this.hold ? this.restore(true) : undefined;
  }

  private isOnset(frameMs: number, loud: boolean): boolean {
    if (!loud && this.onset.length === 0) return false;
    this.onset.push({ ms: frameMs, loud });
    const sum = (frames: { ms: number }[]) => frames.reduce((total, one) => total + one.ms, 0);
    while (sum(this.onset) > ONSET_MS) this.onset.shift();
    return (
      sum(this.onset) >= ONSET_MS - frameMs / 2 &&
      sum(this.onset.filter((one) => one.loud)) >= ONSET_MS * ONSET_SHARE
    );
  }

  private silence(by: "voice" | "server"): Verdict {
    const confirmedAtMs = by === "server" ? this.nowMs : undefined;
    this.hold = { confirmedAtMs, callerQuietSinceMs: this.nowMs };
    this.onset = [];
    return { kind: "silence", by };
  }

  private release(hold: Hold): Verdict | undefined {
    const quietMs = this.nowMs - hold.callerQuietSinceMs;
    const confirmed = hold.confirmedAtMs !== undefined;
    const drainedMs = this.nowMs - Math.max(hold.confirmedAtMs ?? 0, this.botHeardMs);
    if (drainedMs >= DRAINED_MS && (confirmed || quietMs >= DRAINED_MS)) return this.restore(false);
    if (!confirmed && quietMs >= DOUBT_MS) return this.restore(true);
    return quietMs >= LOST_MS ? this.restore(false) : undefined;
  }

  private restore(falseAlarm: boolean): Verdict {
    this.hold = undefined;
    this.onset = [];
    if (!falseAlarm) this.botHeardMs = Number.NEGATIVE_INFINITY;
    return { kind: "restore", falseAlarm };
  }
}
