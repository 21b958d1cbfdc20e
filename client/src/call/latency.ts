/** The parts of a turn's latency, fitted to what was heard. */

import type { Part, Stage } from "./events";

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

/** The middle one of several figures. */
export function median(figures: readonly number[]): number | undefined {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
