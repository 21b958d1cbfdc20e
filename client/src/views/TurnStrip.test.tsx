import { renderToStaticMarkup } from "react-dom/server";
import { expect, it } from "vitest";
import type { Turn } from "../call/events";
import type { Gap } from "../call/script";
import { TurnStrip } from "./TurnStrip";

const turn: Turn = {
  kind: "turn",
  index: 1,
  heard: "When?",
  answered: "Now.",
  ear_ms: 700,
  parts: [
    { stage: "endpointing", label: "end of turn", ms: 300 },
    { stage: "llm", label: "language model", ms: 1_100 },
  ],
  filler_ms: 700,
  answer_ms: 1_400,
  over_ms: 600,
  blame: "llm",
  budget_ms: 800,
  speculated: true,
};
const gap: Gap = {
  kind: "gap",
  id: 1,
  clientEarMs: undefined,
  turn,
  cutIn: false,
  filler: "One moment.",
};
const draw = (one: Gap) => renderToStaticMarkup(<TurnStrip gap={one} />);

it("says to a screen reader all that the bar shows", () => {
  expect(draw(gap)).toContain(
    "Heard after 0.7\u202fs: End of turn 300 milliseconds, LLM 1100 milliseconds. " +
      "0.6\u202fs over the budget: LLM. “One moment.” first, the answer after 1.4\u202fs. begun early",
  );
});

it("marks the budget, the bridged wait and the part to blame on the same scale", () => {
  const drawn = draw(gap);
  expect(drawn).toMatch(/class="mark budget" style="left:26\.6+\d*%"/);
  expect(drawn).toMatch(/class="bridged" style="width:23\.3+\d*%;left:23\.3+\d*%"/);
  expect(drawn.match(/data-blame="true"/g)).toHaveLength(1);
});

it("shows no figure where the bot cut in", () => {
  const drawn = draw({ ...gap, turn: { ...turn, ear_ms: null, parts: [] }, cutIn: true });
  expect(drawn).toContain(">–</strong>");
  expect(drawn).toContain("The bot cut in: you had more to say");
});

it("draws a turn of an older server", () => {
  const { kind, index, heard, answered, ear_ms, parts } = turn;
  const drawn = draw({
    ...gap,
    turn: { kind, index, heard, answered, ear_ms, parts },
    filler: undefined,
  });
  expect(drawn).not.toContain('data-testid="facts"');
  expect(drawn).not.toContain("budget");
});
