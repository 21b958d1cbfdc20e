import { useRef } from "react";
import type { Sound } from "../sound/sound";
import { loudness } from "./loudness";
import { useFrames } from "./useFrames";

/** How loud the microphone hears the caller. */
export function LevelMeter({ sound, muted }: { sound: Sound; muted: boolean }) {
  const bar = useRef<HTMLDivElement>(null);
  const shown = useRef(-1);
  useFrames(20, () => {
    const level = muted ? 0 : Math.round(loudness(sound.levels.caller) * 50) / 50;
    if (!bar.current || level === shown.current) return;
    shown.current = level;
    bar.current.style.setProperty("--level", String(level));
    bar.current.setAttribute("aria-valuenow", String(Math.round(level * 100)));
  });
  return (
    <div className="meter-row">
      {/* biome-ignore lint/a11y/useSemanticElements: a <meter> is drawn otherwise by each browser */}
      <div
        ref={bar}
        className="meter"
        role="meter"
        aria-label="Microphone level"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={0}
        data-testid="mic-level"
      />
      {muted && <span className="meter-muted">Muted</span>}
    </div>
  );
}
