/** The parts of a turn's latency, fitted to what was heard. */

import type { Part, Regret, Stage } from "./events";
import { answerMs, type Gap, type Pause } from "./script";

/** Something worth saying of a turn. */
export interface Fact {
  kind: "cut_in" | "over" | "filler" | "speculated";
  text: string;
}

/** In the order they are drawn, which is the order they happen. */
export const STAGES: readonly Stage[] = [
  "endpointing",
  "stt",
  "llm",
  "tools",
  "tts",
  "own",
  "transport",
];

export const STAGE_NAMES: Record<Stage, string> = {
  endpointing: "End of turn",
  stt: "STT",
  llm: "LLM",
  tools: "Tools",
  tts: "TTS",
  own: "Pipeline",
  transport: "Network and playback",
};

/**
 * One part a stage, in order, adding up to `heardMs`. What the parts do not explain is the
 * network's and the playback's; what they explain too much of is taken off there, then off the
 * wait for the end of the turn, where clocks differ.
 */
export function fitParts(parts: readonly Part[], heardMs: number | undefined): Part[] {
  const spent = new Map<Stage, Part>();
  for (const part of parts) {
    const ms = (spent.get(part.stage)?.ms ?? 0) + part.ms;
    spent.set(part.stage, { ...part, ms });
  }
  if (heardMs !== undefined && parts.length > 0) level(spent, Math.round(heardMs));
  return STAGES.flatMap((stage) => spent.get(stage) ?? []).filter((part) => part.ms > 0);
}

function level(spent: Map<Stage, Part>, heardMs: number): void {
  const sum = [...spent.values()].reduce((total, part) => total + part.ms, 0);
  add(spent, "transport", Math.max(0, heardMs - sum));
  let excess = Math.max(0, sum - heardMs);
  for (const stage of ["transport", ...STAGES] as const) {
    const taken = Math.min(excess, spent.get(stage)?.ms ?? 0);
    add(spent, stage, -taken);
    excess -= taken;
  }
}

function add(spent: Map<Stage, Part>, stage: Stage, ms: number): void {
  const part = spent.get(stage) ?? { stage, label: STAGE_NAMES[stage], ms: 0 };
  spent.set(stage, { ...part, ms: part.ms + ms });
}

/** Seconds with one decimal, as a person says them: `0.9 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}\u202fs`;
}

const STOPS = { noise: "a noise", backchannel: "a word of yours", echo: "its own echo" };

/** What the bot paused for, though nobody wanted its turn: `paused 0.4 s for a noise, went on`. */
export function sayPause({ ms, why }: Pause): string {
  return `paused ${seconds(ms)} for ${STOPS[why]}, went on`;
}

/** What was thrown away: `3 early starts thrown away, $0.0004`; nothing where nothing was. */
export function sayRegret({ replies, usd }: Regret): string {
  if (replies === 0) return "";
  const money = usd > 0 ? `, $${usd < 0.01 ? usd.toFixed(4) : usd.toFixed(2)}` : "";
  return `${replies} early ${replies === 1 ? "start" : "starts"} thrown away${money}`;
}

/** What there is to say of a turn beside its figure, in the order it matters. */
export function sayTurn(gap: Gap): Fact[] {
  const { turn, cutIn, filler } = gap;
  const facts: Fact[] = [];
  if (cutIn) facts.push({ kind: "cut_in", text: "The bot cut in: you had more to say" });
  const answered = answerMs(gap);
  const overMs = (answered ?? 0) - (turn?.budget_ms ?? Number.POSITIVE_INFINITY);
  if (turn?.blame && overMs > 0) {
    const stage = STAGE_NAMES[turn.blame];
    facts.push({ kind: "over", text: `${seconds(overMs)} over the budget: ${stage}` });
  }
  if (filler !== undefined || typeof turn?.filler_ms === "number") {
    const words = filler ? `“${filler}”` : "a filler";
    const then = answered !== undefined && turn ? `, the answer after ${seconds(answered)}` : "";
    facts.push({ kind: "filler", text: `${words} first${then}` });
  }
  if (turn?.speculated) facts.push({ kind: "speculated", text: "begun early" });
  return facts;
}

/** The middle one of several figures. */
export function median(figures: readonly number[]): number | undefined {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
