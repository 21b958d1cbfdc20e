import { useEffect, useRef } from "react";
import { type Catalog, goesStraightIn, isReady, unmet } from "../server/catalog";

/** Dials as soon as the page knows what can be called, once, if its link asks for that. */
export function useStraightIn(catalog: Catalog | undefined, dial: () => void): void {
  const tried = useRef(false);
  useEffect(() => {
    if (!catalog || tried.current) return;
    tried.current = true;
    const query = new URLSearchParams(location.search);
    const can = window.isSecureContext && catalog.pipelines.some(isReady);
    if (can && goesStraightIn(query) && unmet(catalog, query).length === 0) dial();
  }, [catalog, dial]);
}
