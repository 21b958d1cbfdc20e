import { describe, expect, it } from "vitest";
import { dbfs, SpeechGate } from "./speech";

function gate(levels: [ms: number, dbfs: number][], room = true): SpeechGate {
  const made = new SpeechGate(room);
  let nowMs = 0;
  for (const [ms, level] of levels) {
    for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += 10) {
      made.feed(nowMs, nowMs + 10, 10 ** (level / 20));
    }
  }
  return made;
}

describe("SpeechGate", () => {
  it("finds speech where it begins and ends", () => {
    const { runs } = gate([
      [1_000, -70],
      [500, -25],
      [500, -70],
    ]);
    expect(runs).toEqual([{ startMs: 1_000, endMs: 1_500, open: false }]);
  });

  it("takes a weak beginning in", () => {
    const { runs } = gate([
      [1_000, -70],
      [100, -50],
      [500, -25],
      [500, -70],
    ]);
    expect(runs[0]?.startMs).toBe(1_000);
  });

  it("passes over a click", () => {
    expect(
      gate([
        [1_000, -70],
        [20, -10],
        [500, -70],
      ]).runs,
    ).toEqual([]);
  });

  it("bridges a dip but not a pause", () => {
    expect(
      gate([
        [1_000, -70],
        [300, -25],
        [50, -70],
        [300, -25],
        [300, -70],
      ]).runs,
    ).toHaveLength(1);
    expect(
      gate([
        [1_000, -70],
        [300, -25],
        [300, -70],
        [300, -25],
        [300, -70],
      ]).runs,
    ).toHaveLength(2);
  });

  it("keeps a run open as long as it goes on", () => {
    expect(
      gate([
        [1_000, -70],
        [300, -25],
      ]).newest?.open,
    ).toBe(true);
  });

  it("listens above the noise of the room", () => {
    expect(
      gate([
        [3_000, -45],
        [500, -38],
        [200, -45],
      ]).runs,
    ).toEqual([]);
    expect(
      gate([
        [3_000, -45],
        [500, -20],
        [200, -45],
      ]).runs,
    ).toHaveLength(1);
  });

  it("hears a soft voice in a silent room, and none in digital silence", () => {
    expect(
      gate([
        [3_000, -80],
        [500, -50],
        [200, -80],
      ]).runs,
    ).toHaveLength(1);
    expect(
      gate([
        [3_000, -120],
        [500, -50],
        [200, -120],
      ]).runs,
    ).toEqual([]);
  });
});

describe("dbfs", () => {
  it("measures below full scale", () => {
    expect(dbfs(1)).toBe(0);
    expect(dbfs(0.1)).toBeCloseTo(-20);
    expect(dbfs(0)).toBe(-120);
  });
});
