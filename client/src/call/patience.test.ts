import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Way } from "./lines/line";
import { isOver, NotConnectedError, patience } from "./patience";
import { explain, NO_ANSWER } from "./problem";
import { DAILY_UNREACHABLE, noPath } from "./reach";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("waits longer for the bot than for a way to it", () => {
  expect(isOver("pending", 19_000)).toBe(false);
  expect(isOver("pending", 21_000)).toBe(true);
  expect(isOver("open", 21_000)).toBe(false);
  expect(isOver("open", 31_000)).toBe(true);
  expect(isOver("broken", 0)).toBe(true);
});

it("gives what was waited for", async () => {
  const line = { way: (): Way => "open", explain: () => NO_ANSWER };
  expect(await patience(Promise.resolve("ready"), line)).toBe("ready");
});

it("tells the line's own reason when it is over", async () => {
  const line = { way: (): Way => "broken", explain: () => DAILY_UNREACHABLE };
  const waited = patience(new Promise(() => undefined), line).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(300);
  const error = await waited;
  expect(error).toBeInstanceOf(NotConnectedError);
  expect(explain(error)).toBe(DAILY_UNREACHABLE);
});

it("names the TURN server that is missing, or the one that did not help", () => {
  const stun = { urls: ["stun:192.0.2.1"] };
  expect(noPath([]).detail).toContain("needs a TURN server");
  expect(noPath([stun]).detail).toContain("needs a TURN server");
  const turn = { urls: "turn:192.0.2.1?transport=tcp" };
  expect(noPath([stun, turn]).detail).toContain("not even over the TURN server");
  expect(noPath([{ urls: ["turns:192.0.2.1"] }]).detail).toContain("not even over the TURN server");
});
