/** How long a person waits for a call to connect before they are told why it does not. */

import type { Way } from "./lines/line";
import type { Problem } from "./problem";

/** For a way to the bot. */
const WAY_MS = 20_000;
/** For the bot, too. */
const BOT_MS = 30_000;
const LOOK_MS = 250;

/** The server took the call, and it did not connect. */
export class NotConnectedError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/** What patience looks at. */
export interface Waited {
  way(): Way;
  explain(): Problem;
}

/** Wait for `ready`, as long as there is reason to. */
export async function patience<Ready>(ready: Promise<Ready>, line: Waited): Promise<Ready> {
  const sinceMs = performance.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      if (isOver(line.way(), performance.now() - sinceMs)) {
        reject(new NotConnectedError(line.explain()));
      }
    }, LOOK_MS);
  });
  try {
    return await Promise.race([ready, over]);
  } finally {
    clearInterval(timer);
  }
}

/** Whether there is nothing left to wait for, so long after the server took the call. */
export function isOver(way: Way, waitedMs: number): boolean {
  return way === "broken" || waitedMs >= (way === "open" ? BOT_MS : WAY_MS);
}
