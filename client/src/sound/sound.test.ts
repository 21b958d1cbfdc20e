import { expect, it, vi } from "vitest";
import type { Verdict } from "./duck";
import { Sound } from "./sound";

vi.mock("./meter.worklet.ts?worker&url", () => ({ default: "" }));

const QUIET = 0.0003;
const LOUD = 0.05;

/** A sound without a graph, what it decides, and a clock of frames of 10 ms. */
function scene() {
  const sound = new Sound();
  const verdicts: Verdict[] = [];
  const answersMs: number[] = [];
  sound.listener = {
    onEar: (event) => event.kind === "answer" && answersMs.push(event.earMs),
    onVerdict: (verdict) => verdicts.push(verdict),
  };
  let nowMs = 0;
  const during = (ms: number, caller: number, bot: number) => {
    for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += 10) {
      // biome-ignore lint/complexity/useLiteralKeys: it is private
      sound["frame"]([nowMs, nowMs + 10, caller, bot, bot]);
    }
  };
  return { sound, verdicts, answersMs, during };
}

it("falls silent where the caller takes the floor over a filler", () => {
  const { sound, verdicts, during } = scene();
  during(1_000, QUIET, 0);
  sound.replyStarted();
  during(500, QUIET, LOUD);
  sound.interrupted();
  expect(verdicts).toEqual([{ kind: "silence", by: "server" }]);
});

it("takes a reply that goes on after a nod for no answer", () => {
  const { sound, answersMs, during } = scene();
  during(5_000, QUIET, 0);
  during(1_000, LOUD, 0);
  during(800, QUIET, 0);
  during(2_000, QUIET, LOUD);
  // The server holds the bot before the nod is over: what is silenced here has run dry by then.
  during(90, LOUD, LOUD);
  during(200, LOUD, 0);
  during(400, QUIET, 0);
  sound.wentOn();
  during(2_000, QUIET, LOUD);
  expect(answersMs).toEqual([800]);
});
