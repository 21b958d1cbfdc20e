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
  | "server_stopped"
  | "provider_failed"
  | "crashed";

export interface Turn {
  kind: "turn";
  index: number;
  heard: string;
  answered: string;
  ear_ms: number | null;
  parts: Part[];
}

export type CallEvent =
  | { kind: "call_started"; call_id: string; bot: string; pipeline: string; transport: string }
  | { kind: "caller_joined" }
  | { kind: "caller_started"; interrupts: boolean }
  | { kind: "caller_stopped" }
  | { kind: "heard"; text: string; final: boolean }
  | { kind: "reply_started" }
  | { kind: "reply_ended"; spoken: string; cut: string; interrupted: boolean }
  | { kind: "tool_called"; name: string; took_ms: number; ok: boolean }
  | Turn
  | { kind: "failed"; code: string; message: string }
  | { kind: "call_ended"; reason: EndReason };

/** The event in an RTVI server message; undefined if it is somebody else's message. */
export function readEvent(data: unknown): CallEvent | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { type, event } = data as { type?: unknown; event?: unknown };
  if (type !== "offhook" || typeof event !== "object" || event === null) return undefined;
  return "kind" in event && typeof event.kind === "string" ? (event as CallEvent) : undefined;
}
