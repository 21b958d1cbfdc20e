import type { CSSProperties } from "react";
import type { Part, Stage } from "../call/events";
import { type Fact, fitParts, STAGE_NAMES, sayTurn, seconds } from "../call/latency";
import { answerMs, type Gap, heardMs } from "../call/script";
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
  const parts = gap.cutIn ? [] : fitParts(gap.turn?.parts ?? [], answerMs(gap));
  const facts = sayTurn(gap);
  const waiting = heard === undefined && gap.turn === undefined && !gap.cutIn;
  return (
    <div className="strip" data-testid="turn-strip" data-turn={gap.turn?.index}>
      <strong className="figure" data-testid="heard" data-ms={heard && Math.round(heard)}>
        {heard !== undefined ? seconds(heard) : waiting ? "…" : "–"}
      </strong>
      <details className="strip-body">
        <summary>
          <span className="unseen">{describe(heard, parts, facts)}</span>
          <Bar parts={parts} gap={gap} />
          <Facts facts={facts} />
        </summary>
        <PartList parts={parts} gap={gap} />
      </details>
    </div>
  );
}

function Bar({ parts, gap }: { parts: Part[]; gap: Gap }) {
  const [heard, answered] = [heardMs(gap), answerMs(gap)];
  const pending = parts.length === 0 && heard !== undefined;
  const { filler_ms, blame, budget_ms } = gap.turn ?? {};
  const filled = typeof filler_ms === "number" && heard !== undefined && answered !== undefined;
  return (
    <div className="bar-scale" data-over={(answered ?? 0) > SCALE_MS} aria-hidden="true">
      <div className="parts">
        {pending && <div className="part pending" style={width(heard)} />}
        {parts.map((part) => (
          <div
            key={part.stage}
            className={`part ${part.stage}`}
            data-blame={part.stage === blame}
            style={width(part.ms)}
            title={`${part.label}: ${part.ms} ms`}
          >
            <span className="code">{CODES[part.stage]}</span>
          </div>
        ))}
      </div>
      {filled && (
        <div className="bridged" style={{ ...width(answered - heard), left: left(heard) }} />
      )}
      <Marks budgetMs={budget_ms ?? undefined} />
    </div>
  );
}

/** In words what the bar shows, and what it cannot show. */
function Facts({ facts }: { facts: Fact[] }) {
  if (facts.length === 0) return null;
  return (
    <span className="facts" data-testid="facts" aria-hidden="true">
      {facts.map(({ kind, text }) => (
        <span key={kind} className="fact" data-fact={kind}>
          {text}
        </span>
      ))}
    </span>
  );
}

function PartList({ parts, gap }: { parts: Part[]; gap: Gap }) {
  const server = gap.turn?.ear_ms;
  const budget = gap.turn?.budget_ms;
  return (
    <div className="part-list">
      {gap.turn === undefined && <p>The parts come when the answer is over.</p>}
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
      {gap.turn?.speculated && <p>The answer was begun before you had finished.</p>}
      {typeof budget === "number" && <p>The bot’s budget for an answer is {seconds(budget)}.</p>}
      {gap.turn && heardMs(gap) === undefined && <p>There was no silence to measure.</p>}
    </div>
  );
}

function describe(heard: number | undefined, parts: Part[], facts: Fact[]): string {
  const list = parts.map((part) => `${STAGE_NAMES[part.stage]} ${part.ms} milliseconds`).join(", ");
  const figure = heard === undefined ? "Wait not measured" : `Heard after ${seconds(heard)}`;
  return [list ? `${figure}: ${list}` : figure, ...facts.map(({ text }) => text)].join(". ");
}

function width(ms: number): CSSProperties {
  return { width: left(ms) };
}

function left(ms: number): string {
  return `${(ms / SCALE_MS) * 100}%`;
}
