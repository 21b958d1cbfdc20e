import { useEffect, useRef } from "react";

/** Call `draw` up to `perSec` times a second as long as the page is seen. */
export function useFrames(perSec: number, draw: () => void): void {
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    let handle = 0;
    let drawnAtMs = 0;
    const tick = (nowMs: number) => {
      handle = requestAnimationFrame(tick);
      if (nowMs - drawnAtMs < 1_000 / perSec - 4) return;
      drawnAtMs = nowMs;
      latest.current();
    };
    handle = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(handle);
  }, [perSec]);
}
