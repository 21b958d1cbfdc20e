import { sayPause } from "../call/latency";
import { type BotLine, type CallerLine, stopMs } from "../call/script";

export function CallerSays({ line }: { line: CallerLine }) {
  return (
    <div data-testid="caller-line" data-final={line.final}>
      <p className="who">You</p>
      <p className={line.final ? "words" : "words coming"}>{line.text}</p>
    </div>
  );
}

/** Words heard, words on their way, words lost to an interruption. */
export function BotSays({ line, bot }: { line: BotLine; bot: string }) {
  const stop = stopMs(line);
  return (
    <div data-testid="bot-line" data-open={line.open}>
      <p className="who">{bot}</p>
      <p className="words">
        {line.spoken}
        {line.coming && <span className="coming"> {line.coming}</span>}
        {line.cut && (
          <>
            {" "}
            <span className="unseen">(cut off) </span>
            <s data-testid="cut">{line.cut}</s>
          </>
        )}
        {line.open && !line.spoken && !line.coming && <span className="coming">…</span>}
      </p>
      {stop !== undefined && (
        <p className="aside" data-testid="stopped">
          stopped after {Math.round(stop)}&#8239;ms
        </p>
      )}
      {line.pauses.map((pause, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: pauses are only ever added
        <p key={at} className="aside" data-testid="went-on">
          {sayPause(pause)}
        </p>
      ))}
    </div>
  );
}
