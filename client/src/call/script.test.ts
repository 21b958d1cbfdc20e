import { describe, expect, it } from "vitest";
import type { Turn } from "./events";
import { EMPTY_SCRIPT, heardMs, type Line, type ScriptInput, write } from "./script";

function play(...inputs: ScriptInput[]): Line[] {
  return inputs.reduce(write, EMPTY_SCRIPT).lines;
}

/** The script as a person reads it. */
const read = (lines: Line[]) => lines.map(say);

function say(line: Line): string {
  switch (line.kind) {
    case "caller":
      return `you: ${line.text}${line.final ? "" : "…"}`;
    case "bot":
      return `bot: ${line.spoken}${line.coming && `(${line.coming})`}${line.cut && `[${line.cut}]`}`;
    case "gap":
      return `gap ${heardMs(line) ?? "?"} ${line.turn?.index ?? "-"}`;
    case "note":
      return `note: ${line.text}`;
  }
}

const started: ScriptInput = { kind: "caller_started", interrupts: false };
const bargedIn: ScriptInput = { kind: "caller_started", interrupts: true };
const heard = (text: string, final = true): ScriptInput => ({ kind: "heard", text, final });
const replyStarted: ScriptInput = { kind: "reply_started" };
const output = (segment: number, spoken: string, coming = ""): ScriptInput => ({
  kind: "bot_output",
  segment,
  spoken,
  coming,
});
const replyEnded = (spoken: string, cut = ""): ScriptInput => ({
  kind: "reply_ended",
  spoken,
  cut,
  interrupted: cut !== "",
});
const turn = (index: number, said: string, ear_ms: number | null): Turn => ({
  kind: "turn",
  index,
  heard: said,
  answered: "",
  ear_ms,
  parts: [],
});

describe("the caller's line", () => {
  it("is replaced by each partial", () => {
    expect(read(play(started, heard("I", false), heard("I want", false)))).toEqual([
      "you: I want…",
    ]);
  });

  it("goes on where nobody answered", () => {
    const lines = play(started, heard("I want"), started, heard("I want a slot"));
    expect(read(lines)).toEqual(["you: I want a slot"]);
  });

  it("takes a transcript that comes after the answer began", () => {
    const lines = play(started, heard("hello", false), replyStarted, heard("Hello."));
    expect(read(lines)).toEqual(["you: Hello.", "gap ? -", "bot: "]);
  });

  it("is a new one after the bot has spoken", () => {
    const lines = play(started, heard("A"), replyStarted, replyEnded("B"), started, heard("C"));
    expect(read(lines)).toEqual(["you: A", "gap ? -", "bot: B", "you: C"]);
  });
});

describe("the bot's line", () => {
  it("fills as it is spoken", () => {
    const lines = play(replyStarted, output(1, "", "Good day."), output(1, "Good", "day."));
    expect(read(lines)).toEqual(["bot: Good(day.)"]);
  });

  it("has its sentences in order", () => {
    const lines = play(replyStarted, output(8, "", "Two."), output(7, "One."), output(8, "Two."));
    expect(read(lines)).toEqual(["bot: One. Two."]);
  });

  it("ends with the server's words", () => {
    const lines = play(
      replyStarted,
      output(1, "Good", "day to you."),
      replyEnded("Good day", "to you."),
    );
    expect(read(lines)).toEqual(["bot: Good day[to you.]"]);
  });

  it("keeps what was seen where the server has no words", () => {
    expect(read(play(replyStarted, output(1, "Good", "day."), replyEnded("")))).toEqual([
      "bot: Good",
    ]);
    expect(read(play(replyStarted, replyEnded("")))).toEqual([]);
  });

  it("may begin before the server says so", () => {
    expect(read(play(output(1, "", "Hi."), replyStarted, replyEnded("Hi.")))).toEqual(["bot: Hi."]);
  });

  it("takes no words that come after its end", () => {
    const lines = play(replyStarted, output(1, "A", "b"), replyEnded("A", "b"), output(1, "A b"));
    expect(read(lines)).toEqual(["bot: A[b]"]);
  });

  it("comes after the caller who interrupted it", () => {
    const lines = play(
      replyStarted,
      output(1, "Long", "story"),
      bargedIn,
      heard("Stop", false),
      replyEnded("Long", "story"),
      heard("Stop."),
      replyStarted,
      output(2, "Sorry.", ""),
    );
    expect(read(lines)).toEqual(["bot: Long[story]", "you: Stop.", "gap ? -", "bot: Sorry."]);
  });

  it("ends with the call", () => {
    const lines = play(replyStarted, output(1, "A", "b"), { kind: "call_ended", reason: "idle" });
    expect(read(lines)).toEqual(["bot: A"]);
  });
});

describe("the gap", () => {
  const asked = [started, heard("When?")] as const;

  it("stands between question and answer, also when measured late", () => {
    const lines = play(
      ...asked,
      replyStarted,
      { kind: "ear", earMs: 870 },
      replyEnded("Now."),
      turn(1, "When?", 800),
    );
    expect(read(lines)).toEqual(["you: When?", "gap 870 1", "bot: Now."]);
  });

  it("has the server's figure where there is none of the browser", () => {
    const lines = play(...asked, replyStarted, replyEnded("Now."), turn(1, "When?", 800));
    expect(read(lines)).toContain("gap 800 1");
  });

  it("is the gap of the turn it measures", () => {
    const lines = play(
      ...asked,
      replyStarted,
      replyEnded("Now."),
      bargedIn,
      heard("Where?"),
      replyStarted,
      turn(1, "When?", 800),
      { kind: "ear", earMs: 600 },
      turn(2, "Where?", null),
    );
    expect(read(lines).filter((line) => line.startsWith("gap"))).toEqual([
      "gap 800 1",
      "gap 600 2",
    ]);
  });

  it("is none before a greeting", () => {
    expect(read(play(replyStarted, { kind: "ear", earMs: 5 }, replyEnded("Hi.")))).toEqual([
      "bot: Hi.",
    ]);
  });
});

it("notes what the bot looked up", () => {
  const lines = play({ kind: "tool_called", name: "free_slots", took_ms: 12, ok: true });
  expect(read(lines)).toEqual(["note: free slots · 12\u202fms"]);
});
