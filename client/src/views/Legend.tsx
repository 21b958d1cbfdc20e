import { STAGE_NAMES, STAGES } from "../call/latency";
import { Marks } from "./Marks";

/** What the colours and the lines of the strips mean. */
export function Legend() {
  return (
    <footer className="legend">
      <div className="axis" aria-hidden="true">
        <span className="axis-name">heard after</span>
        <div className="bar-scale">
          <Marks named />
        </div>
      </div>
      <ul aria-label="Parts of the wait">
        {STAGES.map((stage) => (
          <li key={stage}>
            <span className={`swatch ${stage}`} aria-hidden="true" />
            {STAGE_NAMES[stage]}
          </li>
        ))}
        <li>
          <span className="swatch-budget" aria-hidden="true" />
          Budget
        </li>
        <li>
          <span className="swatch-bridged" aria-hidden="true" />
          Bridged by a filler
        </li>
      </ul>
    </footer>
  );
}
