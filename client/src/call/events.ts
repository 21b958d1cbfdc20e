/** What happens in a call, as the server tells it (`records/events.py`). */

export type Stage = "endpointing" | "stt" | "llm" | "tools" | "tts" | "own" | "transport";

/** One part of a turn's latency. */
export interface Part {
  stage: Stage;
  label: string;
  ms: number;
}

export type EndReason =
  | "caller_hung_up"
  | "bot_hung_up"
  | "idle"
  | "max_duration"
  | "never_joined"
  | "drained"
  | "host_lost"
  | "provider_failed"
  | "crashed";

export interface Turn {
  kind: "turn";
  index: number;
  heard: string;
  answered: string;
  /** The wait for the first sound of any kind. */
  ear_ms: number | null;
  /** They add up to `answer_ms`. */
  parts: Part[];
  /** `ear_ms` where a filler was heard first. */
  filler_ms?: number | null;
  /** The wait for the answer itself. */
  answer_ms?: number | null;
  /** How much later than the budget the answer came. */
  over_ms?: number;
  /** Which stage took longest, where it came too late. */
  blame?: Stage | null;
  budget_ms?: number | null;
  /** Whether the reply was begun before the caller's turn was over. */
  speculated?: boolean;
}

/** What was thrown away since the call began. */
export interface Regret {
  kind: "regret";
  replies: number;
  tokens: number;
  characters: number;
  usd: number;
}

/** What the call has used since it began; an amount is null where the price is not known. */
export interface Used {
  kind: "used";
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  untold: number;
  characters: number;
  stt_secs: number;
  llm_usd: number | null;
  tts_usd: number | null;
  stt_usd: number | null;
}

export type CallEvent =
  | { kind: "call_started"; call_id: string; bot: string; pipeline: string; transport: string }
  | { kind: "caller_joined" }
  | { kind: "caller_started"; interrupts: boolean }
  | { kind: "caller_stopped" }
  | { kind: "heard"; text: string; final: boolean }
  | { kind: "reply_started" }
  | { kind: "reply_ended"; spoken: string; cut: string; interrupted: boolean }
  | { kind: "filled"; text: string }
  | { kind: "barged_in"; stop_ms: number }
  | { kind: "cut_in"; caller_more_ms: number }
  | { kind: "false_stop"; paused_ms: number; why: "noise" | "backchannel" | "echo" }
  | { kind: "caller_idle"; prompt: string }
  | Regret
  | Used
  | { kind: "tool_called"; name: string; took_ms: number; ok: boolean }
  | Turn
  | { kind: "failed"; code: string; message: string; provider?: string | null }
  | { kind: "retried"; code: string; provider?: string | null }
  | { kind: "call_ended"; reason: EndReason };

/** The event in an RTVI server message; undefined if it is somebody else's message. */
export function readEvent(data: unknown): CallEvent | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { type, event } = data as { type?: unknown; event?: unknown };
  if (type !== "offhook" || typeof event !== "object" || event === null) return undefined;
  return "kind" in event && typeof event.kind === "string" ? (event as CallEvent) : undefined;
}
