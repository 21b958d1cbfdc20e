import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const NEAR_PX = 48;

/** Keeps a scrolling part at its end as `content` grows, unless the person has scrolled up. */
export function useStickToEnd(content: unknown) {
  const scroller = useRef<HTMLDivElement>(null);
  const stuck = useRef(true);
  const [behind, setBehind] = useState(false);

  const toEnd = useCallback(() => {
    const box = scroller.current;
    if (box) box.scrollTop = box.scrollHeight;
    stuck.current = true;
    setBehind(false);
  }, []);

  useEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const onScroll = () => {
      stuck.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
      if (stuck.current) setBehind(false);
    };
    const grown = new ResizeObserver(() => stuck.current && toEnd());
    box.addEventListener("scroll", onScroll, { passive: true });
    grown.observe(box);
    return () => {
      box.removeEventListener("scroll", onScroll);
      grown.disconnect();
    };
  }, [toEnd]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the content's growth is what counts
  useLayoutEffect(() => {
    if (stuck.current) toEnd();
    else setBehind(true);
  }, [content, toEnd]);

  return { scroller, behind, toEnd };
}
