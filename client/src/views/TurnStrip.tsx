import type { CSSProperties } from "react";
import type { Part, Stage } from "../call/events";
import { fitParts, STAGE_NAMES, seconds } from "../call/latency";
import { type Gap, heardMs } from "../call/script";
import { Marks, SCALE_MS } from "./Marks";

/** Short enough to stand inside a coloured part. */
const CODES: Record<Stage, string> = {
  endpointing: "end",
  stt: "STT",
  llm: "LLM",
  tools: "tool",
  tts: "TTS",
  own: "own",
  transport: "net",
};

/** How long the caller waited for one answer, and where the time went. */
export function TurnStrip({ gap }: { gap: Gap }) {
  const heard = heardMs(gap);
  const parts = fitParts(gap.turn?.parts ?? [], heard);
  const waiting = heard === undefined && gap.turn === undefined;
  return (
    <div className="strip" data-testid="turn-strip" data-turn={gap.turn?.index}>
      <strong className="figure" data-testid="heard" data-ms={heard && Math.round(heard)}>
        {heard !== undefined ? seconds(heard) : waiting ? "…" : "–"}
      </strong>
      <details className="strip-body">
        <summary>
          <span className="unseen">{describe(heard, parts)}</span>
          <Bar parts={parts} heard={heard} />
        </summary>
        <PartList parts={parts} gap={gap} />
      </details>
    </div>
  );
}

function Bar({ parts, heard }: { parts: Part[]; heard: number | undefined }) {
  const pending = parts.length === 0 && heard !== undefined;
  return (
    <div className="bar-scale" data-over={(heard ?? 0) > SCALE_MS} aria-hidden="true">
      <div className="parts">
        {pending && <div className="part pending" style={width(heard)} />}
        {parts.map((part) => (
          <div
            key={part.stage}
            className={`part ${part.stage}`}
            style={width(part.ms)}
            title={`${part.label}: ${part.ms} ms`}
          >
            <span className="code">{CODES[part.stage]}</span>
          </div>
        ))}
      </div>
      <Marks />
    </div>
  );
}

function PartList({ parts, gap }: { parts: Part[]; gap: Gap }) {
  const server = gap.turn?.ear_ms;
  return (
    <div className="part-list">
      {parts.length === 0 && <p>The parts come when the answer is over.</p>}
      <dl>
        {parts.map((part) => (
          <div key={part.stage}>
            <dt>
              <span className={`swatch ${part.stage}`} aria-hidden="true" />
              {STAGE_NAMES[part.stage]}
            </dt>
            <dd>{part.ms}&#8239;ms</dd>
          </div>
        ))}
      </dl>
      {gap.clientEarMs !== undefined && (
        <p>
          Measured in this browser
          {typeof server === "number" && <>; the server measured {seconds(server)}</>}.
        </p>
      )}
      {gap.clientEarMs === undefined && typeof server === "number" && (
        <p>Measured by the server.</p>
      )}
      {gap.turn && heardMs(gap) === undefined && <p>There was no silence to measure.</p>}
    </div>
  );
}

function describe(heard: number | undefined, parts: Part[]): string {
  const list = parts.map((part) => `${STAGE_NAMES[part.stage]} ${part.ms} milliseconds`).join(", ");
  const figure = heard === undefined ? "Wait not measured" : `Answered after ${seconds(heard)}`;
  return list ? `${figure}: ${list}` : figure;
}

function width(ms: number): CSSProperties {
  return { width: `${(ms / SCALE_MS) * 100}%` };
}
