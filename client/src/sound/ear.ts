/**
 * What the caller hears, measured in the browser: how long an answer takes, how long the bot talks
 * over them. From energy alone, never from what the server says.
 */

import { type Run, SpeechGate } from "./speech";

/** A shorter silence inside the bot's speech is part of it. */
const PAUSE_MS = 200;
/** Nobody answers sooner than this: a caller heard within it was not done speaking. */
const REACTION_MS = 250;
/** The bot's echo in the microphone ends so soon after the bot; it is not the caller's turn. */
const ECHO_TAIL_MS = 120;
const UTTERANCE_GAP_MS = 500;
/** Speech is known some frames after it began. */
const RIPE_MS = 100;

export interface Frame {
  /** Start and end of the frame on the audio clock. */
  startMs: number;
  endMs: number;
  /** Root mean square of the microphone, 0 to 1. */
  caller: number;
  /** Root mean square of what leaves the loudspeaker, 0 to 1. */
  bot: number;
}

export type EarEvent =
  /** Caller's last speech to the bot's first audible sample. */
  | { kind: "answer"; earMs: number }
  /** Caller's first speech over the bot to the bot's last audible sample. */
  | { kind: "barge_in"; stopMs: number };

/** Feed it frames in order; each event comes as soon as it is certain. */
export class Ear {
  private readonly caller = new SpeechGate(true);
  private readonly bot = new SpeechGate(false);
  private judged: Run | undefined;
  private turnStartMs = Number.NEGATIVE_INFINITY;
  private deafUntilMs = Number.NEGATIVE_INFINITY;
  private interrupted = false;
  private settled = true;

  feed(frame: Frame): EarEvent[] {
    this.caller.feed(frame.startMs, frame.endMs, frame.caller);
    this.bot.feed(frame.startMs, frame.endMs, frame.bot);
    const events: EarEvent[] = [];
    for (const run of this.unjudged()) {
      if (run.startMs > frame.endMs - REACTION_MS - RIPE_MS) return events;
      events.push(...this.botSpoke(run));
      this.judged = run;
    }
    const { judged } = this;
    if (judged && !judged.open && frame.endMs - judged.endMs >= PAUSE_MS) {
      events.push(...this.settle(judged.endMs));
    }
    return events;
  }

  /** The server says that the caller took the floor. */
  interrupt(): void {
    this.interrupted = true;
  }

  /** What was heard of the caller until now was a noise and no turn. */
  discard(): void {
    this.deafUntilMs = this.caller.newest?.endMs ?? this.deafUntilMs;
  }

  /** The server says that the bot goes on after a pause: what was heard over it was no turn. */
  wentOn(): void {
    const onset = this.utterances().at(-1);
    const { newest } = this.bot;
    // A noise while the bot thinks is none of its own affair: the caller's words still count.
    if (onset !== undefined && newest && onset < newest.endMs + PAUSE_MS) this.discard();
  }

  private unjudged(): Run[] {
    const { newest } = this.bot;
    if (!newest || newest === this.judged) return [];
    const afterMs = this.judged?.startMs ?? Number.NEGATIVE_INFINITY;
    return this.bot.runs.filter((run) => run.startMs > afterMs);
  }

  private botSpoke(run: Run): EarEvent[] {
    const before = this.judged;
    if (before && run.startMs - before.endMs < PAUSE_MS) return [];
    const words = this.wordsBefore(run.startMs);
    const taken =
      words !== undefined &&
      (!before || this.interrupted || words.endMs > before.endMs + ECHO_TAIL_MS);
    if (before && !taken) {
      this.settled = false;
      return [];
    }
    this.turnStartMs = run.startMs;
    this.interrupted = false;
    this.settled = false;
    if (!words || words.endMs > run.startMs || this.goesOn(run.startMs)) return [];
    return [{ kind: "answer", earMs: run.startMs - words.endMs }];
  }

  /** Caller's last speech begun before `startMs` and heard since the bot's turn began. */
  private wordsBefore(startMs: number): Run | undefined {
    const since = Math.max(this.turnStartMs, this.deafUntilMs);
    return this.caller.runs.findLast((run) => run.startMs < startMs && run.endMs > since);
  }

  /** Whether the caller had more to say when the bot started at `startMs`. */
  private goesOn(startMs: number): boolean {
    const untilMs = startMs + REACTION_MS;
    return this.caller.runs.some((run) => run.startMs >= startMs && run.startMs < untilMs);
  }

  /** The bot has fallen silent: say so if the caller made it. */
  private settle(botEndMs: number): EarEvent[] {
    if (this.settled || !this.interrupted) return [];
    this.settled = true;
    const earliest = Math.max(this.turnStartMs + REACTION_MS, this.deafUntilMs);
    const onsets = this.utterances().filter((ms) => ms >= earliest && ms < botEndMs);
    const onset = onsets.at(-1);
    return onset === undefined ? [] : [{ kind: "barge_in", stopMs: botEndMs - onset }];
  }

  /** Where the caller's utterances began: runs after a real pause. */
  private utterances(): number[] {
    const { runs } = this.caller;
    return runs
      .filter((run, at) => run.startMs - (runs[at - 1]?.endMs ?? -1e9) >= UTTERANCE_GAP_MS)
      .map((run) => run.startMs);
  }
}
