/** The call as a script: who said what, and how long the caller waited in between. */

import type { CallEvent, Turn } from "./events";

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
}

/** The silence between the caller's last word and the bot's first one. */
export interface Gap {
  kind: "gap";
  id: number;
  /** As measured in this browser. */
  clientEarMs: number | undefined;
  turn: Turn | undefined;
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
  | { kind: "ear"; earMs: number };

export interface Script {
  lines: Line[];
  /** Whether the next words of the caller begin a new line. */
  callerTurns: boolean;
  nextId: number;
}

export const EMPTY_SCRIPT: Script = { lines: [], callerTurns: true, nextId: 1 };

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
      return closeReply(script, input.spoken, input.cut);
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
export function heardMs({ clientEarMs, turn }: Gap): number | undefined {
  return clientEarMs ?? turn?.ear_ms ?? undefined;
}

function heard(script: Script, text: string, final: boolean): Script {
  if (!text.trim()) return script;
  const at = script.lines.findLastIndex((line) => line.kind === "caller");
  if (script.callerTurns || at < 0) {
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
  });
}

/** End the open line with the server's words; where it has none, with those seen to be spoken. */
function closeReply(script: Script, spoken: string, cut: string): Script {
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
  return change(opened, at, { spoken: words, cut, coming: "", open: false });
}

/** Put a gap after the caller's last line, unless it has one. */
function awaitAnswer(script: Script): Script {
  const at = script.lines.findLastIndex((line) => line.kind === "caller");
  if (at < 0 || script.lines.slice(at).some((line) => line.kind === "gap")) return script;
  const gap: Gap = { kind: "gap", id: script.nextId, clientEarMs: undefined, turn: undefined };
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
