import { describe, expect, it } from "vitest";
import type { Part, Stage } from "./events";
import { fitParts, median, seconds } from "./latency";

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
