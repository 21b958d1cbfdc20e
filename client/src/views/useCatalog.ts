import { useCallback, useEffect, useState } from "react";
import { explain, INSECURE, type Problem } from "../call/problem";
import {
  addressOf,
  type Catalog,
  type Choice,
  firstChoice,
  loadCatalog,
  unmet,
} from "../server/catalog";

const NOTHING: Choice = { bot: "", pipeline: "", transport: "webrtc" };

/** What can be chosen, what is chosen, and why not if it cannot be. */
export function useCatalog() {
  const [catalog, setCatalog] = useState<Catalog>();
  const [problem, setProblem] = useState<Problem>();
  const [choice, setChoice] = useState(NOTHING);
  const [wishes, setWishes] = useState<string[]>([]);

  const reload = useCallback(async () => {
    try {
      const loaded = await loadCatalog();
      const query = new URLSearchParams(location.search);
      setCatalog(loaded);
      setChoice(firstChoice(loaded, query));
      setWishes(unmet(loaded, query));
      setProblem(window.isSecureContext ? undefined : INSECURE);
    } catch (error) {
      setProblem(explain(error));
    }
  }, []);

  useEffect(() => void reload(), [reload]);

  const choose = useCallback(
    (next: Choice) => {
      setChoice(next);
      setWishes([]);
      if (catalog) history.replaceState(null, "", addressOf(next, catalog));
    },
    [catalog],
  );

  return { catalog, problem, choice, wishes, choose, reload: () => void reload() };
}
