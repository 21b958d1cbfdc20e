import { describe, expect, it } from "vitest";
import type { Part, Stage, Turn } from "./events";
import { fitParts, median, sayPause, sayRegret, sayTurn, seconds } from "./latency";
import type { Gap } from "./script";

const part = (stage: Stage, ms: number): Part => ({ stage, label: stage, ms });
const spent = (parts: Part[]) => Object.fromEntries(parts.map(({ stage, ms }) => [stage, ms]));
const sum = (parts: Part[]) => parts.reduce((total, { ms }) => total + ms, 0);

describe("fitParts", () => {
  const parts = [part("tts", 200), part("endpointing", 300), part("llm", 250), part("llm", 50)];

  it("puts the parts in order, one a stage", () => {
    expect(fitParts(parts, 800).map(({ stage }) => stage)).toEqual(["endpointing", "llm", "tts"]);
    expect(spent(fitParts(parts, undefined))).toEqual({ endpointing: 300, llm: 300, tts: 200 });
  });

  it("gives to the network what nothing explains", () => {
    expect(spent(fitParts(parts, 900))).toMatchObject({ transport: 100, llm: 300 });
  });

  it("takes what is too much off the network, then off the wait for the end", () => {
    const all = [...parts, part("transport", 40)];
    expect(spent(fitParts(all, 810))).toMatchObject({ transport: 10, endpointing: 300 });
    expect(spent(fitParts(all, 700))).toEqual({ endpointing: 200, llm: 300, tts: 200 });
  });

  it.each([0, 1, 399, 700, 5_000])("adds up to %i ms", (heardMs) => {
    expect(sum(fitParts(parts, heardMs))).toBe(heardMs);
  });

  it("invents no part where the server has none", () => {
    expect(fitParts([], 900)).toEqual([]);
  });
});

describe("median", () => {
  it("is the middle one, or the mean of the middle two", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeUndefined();
  });
});

it("says seconds with one decimal", () => {
  expect(seconds(934)).toBe("0.9\u202fs");
});

describe("sayTurn", () => {
  const turn: Turn = { kind: "turn", index: 1, heard: "", answered: "", ear_ms: 700, parts: [] };
  const gap = (fields: Partial<Gap>, told: Partial<Turn> = {}): Gap => ({
    kind: "gap",
    id: 1,
    clientEarMs: undefined,
    turn: { ...turn, ...told },
    cutIn: false,
    filler: undefined,
    ...fields,
  });
  const say = (one: Gap) => sayTurn(one).map(({ text }) => text);

  it("has nothing to say of a plain turn, nor of an older server's", () => {
    expect(say(gap({}, { over_ms: 0, blame: null, speculated: false }))).toEqual([]);
    expect(say(gap({}))).toEqual([]);
  });

  it("names the stage to blame", () => {
    const late: Partial<Turn> = { ear_ms: 1_400, over_ms: 600, budget_ms: 800, blame: "llm" };
    expect(say(gap({}, late))).toEqual(["0.6\u202fs over the budget: LLM"]);
  });

  it("counts what is over by the figure that it shows", () => {
    const late: Partial<Turn> = { ear_ms: 1_400, over_ms: 600, budget_ms: 800, blame: "llm" };
    expect(say(gap({ clientEarMs: 1_500 }, late))).toEqual(["0.7\u202fs over the budget: LLM"]);
    expect(say(gap({ clientEarMs: 790 }, late))).toEqual([]);
  });

  it("names the filler and the answer's own time", () => {
    const late = { filler_ms: 700, answer_ms: 1_400 };
    const words = "first, the answer after 1.4\u202fs";
    expect(say(gap({ filler: "One moment." }, late))).toEqual([`“One moment.” ${words}`]);
    expect(say(gap({}, late))).toEqual([`a filler ${words}`]);
    expect(say({ ...gap({ filler: "Hm." }), turn: undefined })).toEqual(["“Hm.” first"]);
  });

  it("says that the bot cut in, and that it was early", () => {
    expect(say(gap({ cutIn: true }, { ear_ms: null, speculated: true }))).toEqual([
      "The bot cut in: you had more to say",
      "begun early",
    ]);
  });
});

it("says what the bot paused for", () => {
  expect(sayPause({ ms: 400, why: "noise" })).toBe("paused 0.4\u202fs for a noise, went on");
});

it("says what was thrown away, and what it cost where that is known", () => {
  const regret = { kind: "regret", replies: 3, tokens: 90, characters: 40, usd: 0.0004 } as const;
  expect(sayRegret(regret)).toBe("3 early starts thrown away, $0.0004");
  expect(sayRegret({ ...regret, usd: 0.126 })).toBe("3 early starts thrown away, $0.13");
  expect(sayRegret({ ...regret, usd: 0 })).toBe("3 early starts thrown away");
  expect(sayRegret({ ...regret, replies: 1, usd: 0 })).toBe("1 early start thrown away");
  expect(sayRegret({ ...regret, replies: 0 })).toBe("");
});
