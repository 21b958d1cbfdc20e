import type { CallState } from "../call/state";
import type { Bot } from "../server/catalog";

const STEPS = {
  microphone: "Asking for the microphone",
  line: "Asking for a line",
  connecting: "Waiting for the bot to pick up",
};

/** Whose turn it is, in words. */
export function Status({ state, bot }: { state: CallState; bot: Bot | undefined }) {
  const [word, detail] = words(state, bot);
  return (
    <div className="status" role="status" aria-live="polite">
      <p className="status-word" data-testid="status" data-state={wordOf(state)}>
        {word}
      </p>
      <p className="status-detail">{detail}</p>
    </div>
  );
}

/** One word for where the call is: the shape and the checks read it. */
export function wordOf({ phase, floor }: CallState): string {
  if (phase === "live") return floor;
  return phase === "dialling" ? "connecting" : "idle";
}

function words(state: CallState, bot: Bot | undefined): [string, string] {
  if (state.phase === "dialling") return ["Connecting", STEPS[state.step]];
  if (state.phase === "idle") {
    return state.farewell ? ["Call ended", state.farewell] : [bot?.title ?? "", bot?.summary ?? ""];
  }
  if (state.shaky) return ["Connection lost", "Trying to get it back"];
  switch (state.floor) {
    case "listening":
      return ["Listening", "Your turn"];
    case "thinking":
      return ["Thinking", "An answer is on its way"];
    case "speaking":
      return ["Speaking", "Speak at any time to interrupt"];
  }
}
