/** The call as a script: who said what, and how long the caller waited in between. */

import type { CallEvent, Regret, Turn } from "./events";

export interface CallerLine {
  kind: "caller";
  id: number;
  text: string;
  /** False while the recogniser may still change its mind. */
  final: boolean;
}

export interface BotLine {
  kind: "bot";
  id: number;
  /** Words heard so far. */
  spoken: string;
  /** Words on their way; they are lighter until they are heard. */
  coming: string;
  /** Words that an interruption kept from being heard. */
  cut: string;
  open: boolean;
  segments: Segment[];
  interrupted: boolean;
  /** How long it was heard over the caller, as measured in this browser and by the server. */
  clientStopMs: number | undefined;
  serverStopMs: number | undefined;
  /** What made it pause, and was no turn of the caller's. */
  pauses: Pause[];
}

/** A pause of the bot for nothing. */
export interface Pause {
  ms: number;
  why: (CallEvent & { kind: "false_stop" })["why"];
}

/** The silence between the caller's last word and the bot's first one. */
export interface Gap {
  kind: "gap";
  id: number;
  /** As measured in this browser. */
  clientEarMs: number | undefined;
  turn: Turn | undefined;
  /** The bot began while the caller had more to say: there was no wait. */
  cutIn: boolean;
  /** What bridged the wait. */
  filler: string | undefined;
}

export interface Note {
  kind: "note";
  id: number;
  text: string;
}

export type Line = CallerLine | BotLine | Gap | Note;

/** A sentence of the bot: `spoken` of it was heard, `coming` was not. */
export interface Segment {
  segment: number;
  spoken: string;
  coming: string;
}

export type ScriptInput =
  | CallEvent
  | ({ kind: "bot_output" } & Segment)
  | { kind: "ear"; earMs: number }
  | { kind: "stop"; stopMs: number };

export interface Script {
  lines: Line[];
  /** Whether the next words of the caller begin a new line. */
  callerTurns: boolean;
  nextId: number;
  regret: Regret | undefined;
}

export const EMPTY_SCRIPT: Script = {
  lines: [],
  callerTurns: true,
  nextId: 1,
  regret: undefined,
};

export function write(script: Script, input: ScriptInput): Script {
  switch (input.kind) {
    case "caller_started":
      return { ...script, callerTurns: script.callerTurns || hasAnswer(script) };
    case "heard":
      return heard(script, input.text, input.final);
    case "reply_started":
      return openReply(awaitAnswer(script));
    case "bot_output":
      return output(script, input);
    case "reply_ended":
      return closeReply(script, input.spoken, input.cut, input.interrupted);
    case "filled":
      return changeGap(awaitAnswer(script), { filler: input.text });
    case "cut_in":
      return changeGap(awaitAnswer(script), { cutIn: true });
    case "stop":
      return changeReply(script, () => true, { clientStopMs: input.stopMs });
    case "barged_in":
      return changeReply(script, isInterrupted, { serverStopMs: input.stop_ms });
    case "false_stop":
      return pause(script, { ms: input.paused_ms, why: input.why });
    case "caller_idle":
      return push(script, { kind: "note", text: "You were silent, so the bot asks" });
    case "regret":
      return { ...script, regret: input };
    case "ear":
      return measure(script, { clientEarMs: input.earMs });
    case "turn":
      return measure(script, { turn: input });
    case "tool_called":
      return push(script, { kind: "note", text: toolNote(input) });
    case "call_ended":
      return closeReply(script, "", "");
    default:
      return script;
  }
}

/** What the caller hears of a gap: measured here if it could be, else by the server. */
export function heardMs({ clientEarMs, turn, cutIn }: Gap): number | undefined {
  return cutIn ? undefined : (clientEarMs ?? turn?.ear_ms ?? undefined);
}

/** The wait for the answer itself; longer than what is heard where a filler was heard first. */
export function answerMs(gap: Gap): number | undefined {
  const heard = heardMs(gap);
  const { ear_ms, answer_ms } = gap.turn ?? {};
  const later = typeof ear_ms === "number" ? (answer_ms ?? ear_ms) - ear_ms : 0;
  return heard === undefined ? undefined : heard + later;
}

/** How long the bot was heard over the caller who interrupted it. */
export function stopMs({ clientStopMs, serverStopMs, interrupted }: BotLine): number | undefined {
  return interrupted ? (clientStopMs ?? serverStopMs) : undefined;
}

function heard(script: Script, text: string, final: boolean): Script {
  if (!text.trim()) return script;
  const at = script.lines.findLastIndex((line) => line.kind === "caller");
  if (script.callerTurns || at < 0 || isAnswered(script, at)) {
    return { ...push(script, { kind: "caller", text, final }), callerTurns: false };
  }
  return change(script, at, { text, final });
}

function output(script: Script, { segment, spoken, coming }: Segment): Script {
  const known = script.lines.findLastIndex(
    (line) => line.kind === "bot" && line.segments.some((one) => one.segment === segment),
  );
  const before = known < 0 ? openReply(script) : script;
  const at = known < 0 ? before.lines.findLastIndex(isOpenReply) : known;
  const line = before.lines[at];
  if (line?.kind !== "bot" || !line.open) return script;
  const others = line.segments.filter((one) => one.segment !== segment);
  const segments = [...others, { segment, spoken, coming }].sort((a, b) => a.segment - b.segment);
  return change(before, at, {
    segments,
    spoken: join(segments.map((one) => one.spoken)),
    coming: join(segments.map((one) => one.coming)),
  });
}

/** The bot's line being spoken: the open one, unless the caller has spoken since. */
function openReply(script: Script): Script {
  const at = script.lines.findLastIndex(isOpenReply);
  const stale = at >= 0 && script.lines.slice(at).some((line) => line.kind === "caller");
  if (at >= 0 && !stale) return script;
  const fresh = stale ? closeReply(script, "", "") : script;
  return push(fresh, {
    kind: "bot",
    spoken: "",
    coming: "",
    cut: "",
    open: true,
    segments: [],
    interrupted: false,
    clientStopMs: undefined,
    serverStopMs: undefined,
    pauses: [],
  });
}

/** End the open line with the server's words; where it has none, with those seen to be spoken. */
function closeReply(script: Script, spoken: string, cut: string, interrupted = false): Script {
  const open = script.lines.findLastIndex(isOpenReply);
  if (open < 0 && !spoken && !cut) return script;
  const opened = open < 0 ? openReply(script) : script;
  const at = opened.lines.findLastIndex(isOpenReply);
  const line = opened.lines[at];
  if (line?.kind !== "bot") return script;
  const words = spoken || cut ? spoken : line.spoken;
  if (!words && !cut) {
    return { ...opened, lines: opened.lines.filter((_, index) => index !== at) };
  }
  return change(opened, at, { spoken: words, cut, coming: "", open: false, interrupted });
}

/** Write into the newest of the bot's lines that is so. */
function changeReply(
  script: Script,
  isSo: (line: BotLine) => boolean,
  fields: Partial<BotLine>,
): Script {
  const at = script.lines.findLastIndex((line) => line.kind === "bot" && isSo(line));
  return at < 0 ? script : change(script, at, fields);
}

function isInterrupted(line: BotLine): boolean {
  return !line.open && line.interrupted;
}

function pause(script: Script, found: Pause): Script {
  const line = script.lines.findLast((one) => one.kind === "bot");
  if (line?.kind !== "bot") return script;
  return changeReply(script, () => true, { pauses: [...line.pauses, found] });
}

/** Write into the newest gap that is not told of yet. */
function changeGap(script: Script, fields: Partial<Gap>): Script {
  const at = script.lines.findLastIndex((line) => line.kind === "gap" && !line.turn);
  return at < 0 ? script : change(script, at, fields);
}

/** Put a gap after the caller's last line, unless it has one. */
function awaitAnswer(script: Script): Script {
  const at = script.lines.findLastIndex((line) => line.kind === "caller");
  if (at < 0 || script.lines.slice(at).some((line) => line.kind === "gap")) return script;
  const gap: Gap = {
    kind: "gap",
    id: script.nextId,
    clientEarMs: undefined,
    turn: undefined,
    cutIn: false,
    filler: undefined,
  };
  return { ...script, lines: script.lines.toSpliced(at + 1, 0, gap), nextId: script.nextId + 1 };
}

/** Write a measurement into the gap it belongs to. */
function measure(script: Script, found: { clientEarMs: number } | { turn: Turn }): Script {
  const waiting = awaitAnswer(script);
  const gaps = waiting.lines.flatMap((line, at) =>
    line.kind === "gap" && line.turn === undefined ? [at] : [],
  );
  const said = (at: number) => {
    const line = waiting.lines.slice(0, at).findLast((one) => one.kind === "caller");
    return line?.kind === "caller" ? line.text : "";
  };
  const same = "turn" in found ? gaps.find((at) => said(at) === found.turn.heard) : undefined;
  const at = same ?? gaps.at(-1);
  return at === undefined ? script : change(waiting, at, found);
}

function hasAnswer({ lines }: Script): boolean {
  const at = lines.findLastIndex((line) => line.kind === "caller");
  return lines.slice(at + 1).some((line) => line.kind === "bot");
}

/** Whether that line of the caller's is complete and the bot has spoken since. */
function isAnswered(script: Script, at: number): boolean {
  const line = script.lines[at];
  return line?.kind === "caller" && line.final && hasAnswer(script);
}

function toolNote({ name, took_ms, ok }: CallEvent & { kind: "tool_called" }): string {
  const tool = name.replaceAll("_", " ");
  return ok ? `${tool} · ${took_ms}\u202fms` : `${tool} failed · ${took_ms}\u202fms`;
}

function isOpenReply(line: Line): boolean {
  return line.kind === "bot" && line.open;
}

function join(texts: string[]): string {
  return texts.filter(Boolean).join(" ");
}

type Unnumbered = Omit<CallerLine, "id"> | Omit<BotLine, "id"> | Omit<Note, "id">;

function push(script: Script, line: Unnumbered): Script {
  const numbered = { ...line, id: script.nextId };
  return { ...script, lines: [...script.lines, numbered], nextId: script.nextId + 1 };
}

function change(script: Script, at: number, fields: Partial<Line>): Script {
  const line = script.lines[at];
  if (!line) return script;
  return { ...script, lines: script.lines.with(at, { ...line, ...fields } as Line) };
}
