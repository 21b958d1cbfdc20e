import { type RefObject, useRef } from "react";
import type { CallState } from "../call/state";
import type { Sound } from "../sound/sound";
import { loudness } from "./loudness";
import { wordOf } from "./Status";
import { useFrames } from "./useFrames";

const CORE = 54;
const SWELL = 8;
const RINGS = [66, 76, 86, 96];
const RING_WIDTH = 5;
/** Frames that a sound takes from one ring to the next. */
const STEP = 3;
const PER_SEC = 30;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * One large shape that shows whose turn it is: hollow it listens, with dots it thinks, full it
 * speaks. The bot's voice runs outwards from it, the caller's voice runs in.
 */
export function Shape({ sound, state }: { sound: Sound; state: CallState }) {
  const word = wordOf(state);
  const core = useRef<SVGCircleElement>(null);
  const rings = useRef<SVGGElement>(null);
  useVoice(sound, word, (levels) => {
    const [now = 0] = levels;
    core.current?.setAttribute("r", (CORE + SWELL * now).toFixed(1));
    RINGS.forEach((_, at) => {
      const place = word === "speaking" ? at : RINGS.length - 1 - at;
      const level = levels[(place + 1) * STEP] ?? 0;
      const ring = rings.current?.children[at];
      ring?.setAttribute("stroke-width", (RING_WIDTH * level).toFixed(1));
      ring?.setAttribute("stroke-opacity", Math.min(1, level * 1.2).toFixed(2));
    });
  });
  return (
    <svg className="shape" data-state={word} viewBox="-100 -100 200 200" aria-hidden="true">
      <g ref={rings} className="shape-rings">
        {RINGS.map((radius) => (
          <circle key={radius} r={radius} strokeWidth="0" />
        ))}
      </g>
      <circle ref={core} className="shape-core" r={CORE} />
      <g className="shape-dots">
        <circle cx="-20" r="5.5" />
        <circle r="5.5" />
        <circle cx="20" r="5.5" />
      </g>
    </svg>
  );
}

/** Give the levels of the last moment, newest first, whenever there is something new to draw. */
function useVoice(sound: Sound, word: string, draw: (levels: readonly number[]) => void): void {
  const levels: RefObject<number[]> = useRef([]);
  useFrames(PER_SEC, () => {
    const before = levels.current[0] ?? 0;
    const level = STILL.matches ? 0 : voice(sound, word);
    const next = before + (level - before) * (level > before ? 0.7 : 0.3);
    const wasSilent = levels.current.every((one) => one === 0);
    levels.current = [next < 0.02 ? 0 : next, ...levels.current].slice(0, RINGS.length * STEP + 1);
    if (!wasSilent || levels.current[0] !== 0) draw(levels.current);
  });
}

function voice(sound: Sound, word: string): number {
  if (word === "speaking") return loudness(sound.levels.bot);
  return word === "listening" ? loudness(sound.levels.caller) : 0;
}
