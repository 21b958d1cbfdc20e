import { type FormEvent, useEffect, useState } from "react";
import type { Problem } from "../call/problem";

interface Props {
  problem: Problem;
  onRetry: () => void;
  onKey: (key: string) => void;
  onDismiss: (() => void) | undefined;
}

/** What went wrong and what can be done about it. */
export function Alert({ problem, onRetry, onKey, onDismiss }: Props) {
  return (
    <div className="alert" data-testid="alert">
      <div role="alert">
        <p className="alert-title">{problem.title}</p>
        <p>{problem.detail}</p>
      </div>
      {problem.remedy === "key" && <KeyForm onKey={onKey} />}
      {(problem.remedy === "redial" || problem.remedy === "reload") && (
        <Retry waitSecs={problem.waitSecs ?? 0} onRetry={onRetry} />
      )}
      {problem.remedy === "none" && onDismiss && (
        <button type="button" className="button quiet" onClick={onDismiss}>
          Dismiss
        </button>
      )}
    </div>
  );
}

/** A button that can be pressed at any time and says when it makes sense. */
function Retry({ waitSecs, onRetry }: { waitSecs: number; onRetry: () => void }) {
  const [leftSecs, setLeftSecs] = useState(waitSecs);
  useEffect(() => {
    const timer = setInterval(() => setLeftSecs((secs) => Math.max(0, secs - 1)), 1_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="alert-actions">
      <button type="button" className="button quiet" data-testid="retry" onClick={onRetry}>
        Try again
      </button>
      {waitSecs > 0 && (
        <span className="alert-wait">
          {leftSecs > 0 ? `Best in ${leftSecs}\u202fs` : "Now is a good moment"}
        </span>
      )}
    </div>
  );
}

function KeyForm({ onKey }: { onKey: (key: string) => void }) {
  const [key, setKey] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim()) onKey(key.trim());
  };
  return (
    <form className="key-form" onSubmit={submit}>
      <label className="field">
        <span className="label">API key</span>
        <input
          type="password"
          autoComplete="off"
          data-testid="api-key"
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
      </label>
      <button type="submit" className="button quiet">
        Use this key
      </button>
    </form>
  );
}
