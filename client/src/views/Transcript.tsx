import { median, sayRegret, seconds } from "../call/latency";
import { heardMs, type Line, type Script } from "../call/script";
import { Legend } from "./Legend";
import { BotSays, CallerSays } from "./Says";
import { TurnStrip } from "./TurnStrip";
import { useStickToEnd } from "./useStickToEnd";

/** What was said, like a script: the caller left, the bot right, the wait in between. */
export function Transcript(props: { script: Script; bot: string; live: boolean }) {
  const { script, bot, live } = props;
  const { scroller, behind, toEnd } = useStickToEnd(script);
  const gaps = script.lines.flatMap((line) => (line.kind === "gap" ? (heardMs(line) ?? []) : []));
  const middle = median(gaps);
  const { regret } = script;
  return (
    <section className="transcript" aria-label="Transcript">
      <header className="transcript-head">
        <h2>Transcript</h2>
        {middle !== undefined && (
          <p>
            median <strong>{seconds(middle)}</strong> over {gaps.length}{" "}
            {gaps.length === 1 ? "answer" : "answers"}
          </p>
        )}
        {regret && sayRegret(regret) && (
          <p
            data-testid="regret"
            title={`${regret.tokens} tokens, ${regret.characters} characters`}
          >
            {sayRegret(regret)}
          </p>
        )}
      </header>
      <div
        className="scroller"
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must take the keyboard
        tabIndex={0}
        data-testid="transcript"
        role="log"
        aria-live="off"
      >
        {script.lines.length === 0 ? (
          <Empty live={live} />
        ) : (
          <ol className="lines">
            {script.lines.map((line) => (
              <li key={line.id} className={`line ${line.kind}`}>
                <Entry line={line} bot={bot} />
              </li>
            ))}
          </ol>
        )}
        <Legend />
      </div>
      {behind && (
        <button type="button" className="button quiet to-end" onClick={toEnd}>
          Newest below
        </button>
      )}
    </section>
  );
}

function Entry({ line, bot }: { line: Line; bot: string }) {
  switch (line.kind) {
    case "caller":
      return <CallerSays line={line} />;
    case "bot":
      return <BotSays line={line} bot={bot} />;
    case "gap":
      return <TurnStrip gap={line} />;
    case "note":
      return <p className="note">{line.text}</p>;
  }
}

function Empty({ live }: { live: boolean }) {
  return (
    <div className="empty">
      <p className="empty-title">{live ? "The line is open" : "Nothing said yet"}</p>
      <p>
        Your words appear on the left, the bot’s on the right. Between them stands how long you
        waited for each answer, and where the time went.
      </p>
    </div>
  );
}
