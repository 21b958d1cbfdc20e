import { describe, expect, it } from "vitest";
import type { Turn } from "./events";
import {
  answerMs,
  type BotLine,
  EMPTY_SCRIPT,
  type Gap,
  heardMs,
  type Line,
  type ScriptInput,
  stopMs,
  write,
} from "./script";

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

describe("an interruption", () => {
  const cut = [replyStarted, output(1, "Long", "story"), bargedIn, replyEnded("Long", "story")];
  const bots = (...inputs: ScriptInput[]) =>
    play(...inputs).filter((line): line is BotLine => line.kind === "bot");
  const barged: ScriptInput = { kind: "barged_in", stop_ms: 260 };

  it("has its stop time at the line it cut, also when the next is being spoken", () => {
    const lines = bots(...cut, heard("Stop."), replyStarted, output(2, "Sorry."), barged);
    expect(lines.map(stopMs)).toEqual([260, undefined]);
  });

  it("is measured here if it can be", () => {
    const here: ScriptInput = { kind: "stop", stopMs: 240 };
    expect(bots(...cut, here, barged).map(stopMs)).toEqual([240]);
    expect(bots(...cut.slice(0, 3), here, cut[3] as ScriptInput, barged).map(stopMs)).toEqual([
      240,
    ]);
  });

  it("is none where the bot said all it had to say", () => {
    expect(bots(replyStarted, replyEnded("All."), barged).map(stopMs)).toEqual([undefined]);
  });

  it("that was none leaves a pause", () => {
    const lines = bots(replyStarted, output(1, "Long", "story"), {
      kind: "false_stop",
      paused_ms: 400,
      why: "noise",
    });
    expect(lines[0]?.pauses).toEqual([{ ms: 400, why: "noise" }]);
  });
});

it("puts a word that was no turn on a line of its own", () => {
  const lines = play(started, heard("Tell me."), replyStarted, output(1, "Once"), heard("right"));
  expect(read(lines)).toEqual(["you: Tell me.", "gap ? -", "bot: Once", "you: right"]);
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

  it("has a filler before its answer", () => {
    const lines = play(
      ...asked,
      { kind: "filled", text: "One moment." },
      { kind: "ear", earMs: 750 },
      replyStarted,
      replyEnded("Now."),
      { ...turn(1, "When?", 700), filler_ms: 700, answer_ms: 1400 },
    );
    expect(read(lines)).toEqual(["you: When?", "gap 750 1", "bot: Now."]);
    expect(lines[1]).toMatchObject({ filler: "One moment." });
    expect(answerMs(lines[1] as Gap)).toBe(1450);
  });

  it("is no wait where the bot cut in", () => {
    const lines = play(
      ...asked,
      replyStarted,
      { kind: "ear", earMs: 90 },
      {
        kind: "cut_in",
        caller_more_ms: 120,
      },
    );
    expect(read(lines)).toContain("gap ? -");
    expect(lines[1]).toMatchObject({ cutIn: true });
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

it("notes that the bot asks a silent caller", () => {
  expect(read(play({ kind: "caller_idle", prompt: "Are you there?" }))).toEqual([
    "note: You were silent, so the bot asks",
  ]);
});

it("keeps the newest totals of what was thrown away, also after the last turn", () => {
  const first = { kind: "regret", replies: 2, tokens: 90, characters: 40, usd: 0 } as const;
  const last = { ...first, replies: 3, tokens: 130 };
  const call: ScriptInput[] = [started, heard("A"), replyStarted, replyEnded("B")];
  const before = [...call, turn(1, "A", 600), first].reduce(write, EMPTY_SCRIPT);
  const after = write(before, last);
  expect([before.regret, after.regret]).toEqual([first, last]);
  expect(after.lines).toEqual(before.lines);
});

it("takes events it does not know for nothing", () => {
  expect(play({ kind: "of_tomorrow" } as unknown as ScriptInput)).toEqual([]);
});
