import { useEffect, useState } from "react";
import type { CallState } from "../call/state";
import type { Bot } from "../server/catalog";

/** The bar on top: the name of the house, what the call runs on, and its clock. */
export function CallBar(props: { state: CallState; bot: Bot | undefined; path: string }) {
  const { state, bot, path } = props;
  return (
    <header className="bar">
      <h1 className="brand">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <circle cx="16" cy="16" r="12" />
          <path d="M11 15v2m3.300-4v6m3.400-8v10m3.300-6v2" />
        </svg>
        Offhook
      </h1>
      {state.phase !== "idle" && (
        <p className="bar-call">
          <span className="bar-bot">{bot?.title}</span>
          <span className="bar-path" data-testid="path">
            {path}
          </span>
          {state.startedAtMs !== undefined && <Clock sinceMs={state.startedAtMs} />}
        </p>
      )}
    </header>
  );
}

function Clock({ sinceMs }: { sinceMs: number }) {
  const [nowMs, setNowMs] = useState(sinceMs);
  useEffect(() => {
    const timer = setInterval(() => setNowMs(performance.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const secs = Math.floor((nowMs - sinceMs) / 1000);
  const text = `${Math.floor(secs / 60)}:${String(secs % 60).padStart(2, "0")}`;
  return (
    <span className="clock" role="timer" aria-live="off">
      {text}
    </span>
  );
}
