import { describe, expect, it } from "vitest";
import { Duck, type Verdict } from "./duck";

/** A duck and a clock: each call feeds frames of 10 ms and gives the verdicts with their time. */
function scene() {
  const duck = new Duck();
  let nowMs = 0;
  const during = (ms: number, callerDbfs: number, botDbfs: number) => {
    const verdicts: (Verdict & { atMs: number })[] = [];
    for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += 10) {
      const verdict = duck.frame({ startMs: nowMs, endMs: nowMs + 10, callerDbfs, botDbfs });
      if (verdict) verdicts.push({ ...verdict, atMs: nowMs + 10 });
    }
    return verdicts;
  };
  return { duck, during };
}

const VOICE = -25;
const QUIET = -70;
const BOT = -20;
const NONE = -120;

describe("the caller's voice", () => {
  it("silences the bot within 130 ms", () => {
    const { during } = scene();
    during(1_000, QUIET, BOT);
    const [verdict] = during(500, VOICE, BOT);
    expect(verdict).toMatchObject({ kind: "silence", by: "voice" });
    expect((verdict?.atMs ?? 0) - 1_000).toBeLessThanOrEqual(130);
  });

  it("silences nothing while the bot is silent", () => {
    const { during, duck } = scene();
    during(1_000, QUIET, NONE);
    expect(during(1_000, VOICE, NONE)).toEqual([]);
    expect(duck.silenced).toBe(false);
  });

  it("silences the bot also in a gap between its words", () => {
    const { during } = scene();
    during(1_000, QUIET, BOT);
    expect(during(200, VOICE, NONE)).toMatchObject([{ kind: "silence", by: "voice" }]);
  });

  it.each([
    ["a click", 60, VOICE],
    ["what the echo canceller leaves of the bot", 3_000, -46],
  ])("is not %s", (_, ms, level) => {
    const { during } = scene();
    during(1_000, QUIET, BOT);
    expect([...during(ms, level, BOT), ...during(300, QUIET, BOT)]).toEqual([]);
  });

  it("gives the bot back when the server takes it for a noise", () => {
    const { during } = scene();
    during(1_000, QUIET, BOT);
    during(300, VOICE, BOT);
    const [verdict] = during(1_000, QUIET, BOT);
    expect(verdict).toMatchObject({ kind: "restore", falseAlarm: true, atMs: 2_000 });
  });

  it("keeps the bot silent as long as it goes on", () => {
    const { during } = scene();
    during(1_000, QUIET, BOT);
    during(300, VOICE, BOT);
    expect(during(5_000, VOICE, BOT)).toEqual([]);
  });
});

describe("the server's word", () => {
  it("counts only while the bot is audible", () => {
    const { duck, during } = scene();
    during(1_000, QUIET, BOT);
    expect(duck.botAudible).toBe(true);
    during(500, QUIET, NONE);
    expect(duck.botAudible).toBe(false);
  });

  it("silences the bot at once", () => {
    const { duck, during } = scene();
    during(1_000, QUIET, BOT);
    expect(duck.interrupted()).toEqual({ kind: "silence", by: "server" });
  });

  it("confirms what the voice began: no doubt restores the bot", () => {
    const { duck, during } = scene();
    during(1_000, QUIET, BOT);
    during(200, VOICE, BOT);
    expect(duck.interrupted()).toBeUndefined();
    expect(during(1_900, QUIET, BOT)).toEqual([]);
  });

  it("opens the way again once the interrupted reply has drained", () => {
    const { duck, during } = scene();
    during(1_000, QUIET, BOT);
    duck.interrupted();
    during(100, VOICE, BOT);
    expect(during(400, VOICE, NONE)).toMatchObject([{ kind: "restore", falseAlarm: false }]);
  });

  it("opens the way for the next reply", () => {
    const { duck, during } = scene();
    during(1_000, QUIET, BOT);
    duck.interrupted();
    expect(duck.replyStarted()).toEqual({ kind: "restore", falseAlarm: false });
    expect(duck.replyStarted()).toBeUndefined();
  });

  it("never loses the bot for good", () => {
    const { duck, during } = scene();
    during(1_000, QUIET, BOT);
    duck.interrupted();
    expect(during(2_500, QUIET, BOT)).toMatchObject([{ kind: "restore", atMs: 3_000 }]);
  });
});

it("gives the bot back at once where the server took the caller for a noise", () => {
  const { during, duck } = scene();
  during(1_000, QUIET, BOT);
  during(200, VOICE, BOT);
  expect(duck.wentOn()).toEqual({ kind: "restore", falseAlarm: true });
  expect(duck.wentOn()).toBeUndefined();
});
