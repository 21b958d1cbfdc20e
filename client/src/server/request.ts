/** Requests to the server that the page came from. */

import { RefusedError, readRefusal, UNREACHABLE } from "./refusal";

const KEY = "offhook.key";
const PATIENCE_MS = 30_000;

/** The person's key, kept as long as the tab is open. */
export const apiKey = {
  get: (): string | null => sessionStorage.getItem(KEY),
  set: (key: string): void => sessionStorage.setItem(KEY, key),
};

export function authorization(): Headers {
  const key = apiKey.get();
  return new Headers(key ? { Authorization: `Bearer ${key}` } : {});
}

/** GET, or POST where there is a `body`; throws `RefusedError` for anything but the answer. */
export async function request<Answer>(path: string, body?: unknown): Promise<Answer> {
  const headers = authorization();
  if (body !== undefined) headers.set("Content-Type", "application/json");
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    body: body === undefined ? null : JSON.stringify(body),
    headers,
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch(() => {
    throw new RefusedError(UNREACHABLE);
  });
  if (!response.ok) {
    const refusal = await readRefusal(response);
    const unknown = refusal.status === 401 && headers.has("Authorization");
    throw new RefusedError(unknown ? { ...refusal, code: "unknown_key" } : refusal);
  }
  return response.json();
}

/** Give a session back, also while the page is being closed: its call ends, its slot is free. */
export function release(session: string): void {
  const path = `sessions/${encodeURIComponent(session)}`;
  const gone = fetch(path, { method: "DELETE", keepalive: true, headers: authorization() });
  gone.catch(() => undefined);
}

/** Whether the server answers at all. */
export async function isUp(): Promise<boolean> {
  const answer = fetch("healthz", { cache: "no-store", signal: AbortSignal.timeout(3_000) });
  return answer.then(
    () => true,
    () => false,
  );
}
