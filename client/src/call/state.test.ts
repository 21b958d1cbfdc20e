import { describe, expect, it } from "vitest";
import type { CallEvent, EndReason } from "./events";
import { BOT_FAILED, explainFailure, LINE_LOST, NO_ANSWER, PROVIDER_FAILED } from "./problem";
import { type Action, IDLE, reduce } from "./state";

const play = (...actions: Action[]) => actions.reduce(reduce, IDLE);
const live: Action[] = [{ kind: "dial" }, { kind: "answered", atMs: 5 }];
const event = (happened: CallEvent): Action => ({ kind: "event", event: happened });

/** What the page says of a call that ended for this reason. */
const ENDS: Record<EndReason, { farewell: string } | { problem: object }> = {
  caller_hung_up: { farewell: "You hung up." },
  bot_hung_up: { farewell: "The bot hung up." },
  idle: { farewell: "Nobody spoke for a while, so the call ended." },
  max_duration: { farewell: "The call reached its time limit." },
  drained: { farewell: "The server is being stopped, so the call ended." },
  host_lost: { farewell: "The server went away, so the bot ended the call." },
  never_joined: { problem: NO_ANSWER },
  provider_failed: { problem: PROVIDER_FAILED },
  crashed: { problem: BOT_FAILED },
};

describe("the call", () => {
  it("is dialled, then live", () => {
    expect(play({ kind: "dial" }, { kind: "step", step: "line" })).toMatchObject({
      phase: "dialling",
      step: "line",
    });
    expect(play(...live)).toMatchObject({ phase: "live", startedAtMs: 5 });
  });

  it("waits for a click where the browser wants one", () => {
    const waiting = play({ kind: "dial" }, { kind: "click_needed" });
    expect(waiting).toMatchObject({ phase: "idle", clickNeeded: true, problem: undefined });
    expect(reduce(waiting, { kind: "dial" })).toMatchObject({
      phase: "dialling",
      clickNeeded: false,
    });
    expect(reduce(waiting, { kind: "dismiss" }).clickNeeded).toBe(false);
    expect(play(...live, { kind: "click_needed" }).phase).toBe("live");
  });

  it("passes the floor", () => {
    const stopped = event({ kind: "caller_stopped" });
    const began = event({ kind: "reply_started" });
    const ended = event({ kind: "reply_ended", spoken: "A", cut: "", interrupted: false });
    expect(play(...live).floor).toBe("listening");
    expect(play(...live, stopped).floor).toBe("thinking");
    expect(play(...live, stopped, began).floor).toBe("speaking");
    expect(play(...live, stopped, began, ended).floor).toBe("listening");
  });

  it("goes on after a failure, and says so", () => {
    const state = play(...live, event({ kind: "failed", code: "llm", message: "No answer." }));
    expect(state).toMatchObject({ phase: "live", problem: explainFailure("No answer.") });
  });

  it("forgets the last one when it is dialled anew", () => {
    const said = event({ kind: "heard", text: "Hello", final: true });
    expect(play(...live, said, { kind: "hung_up" }, { kind: "dial" }).script.lines).toEqual([]);
  });
});

describe("the end", () => {
  it("keeps the script", () => {
    const said = event({ kind: "heard", text: "Hello", final: true });
    const state = play(...live, said, { kind: "hung_up" });
    expect(state).toMatchObject({ phase: "idle", farewell: "You hung up." });
    expect(state.script.lines).toHaveLength(1);
  });

  it.each(Object.keys(ENDS) as EndReason[])("is told by its reason: %s", (reason) => {
    const words = { phase: "idle", farewell: undefined, problem: undefined, ...ENDS[reason] };
    const told = event({ kind: "call_ended", reason });
    expect(play(...live, told).phase).toBe("live");
    expect(play(...live, told, { kind: "ended" })).toMatchObject(words);
    const early: Action[] = [{ kind: "dial" }, told];
    expect(play(...early, { kind: "ended", problem: LINE_LOST })).toMatchObject(words);
  });

  it("is a problem where the line broke off without a reason", () => {
    expect(play(...live, { kind: "ended" })).toMatchObject({
      problem: LINE_LOST,
      farewell: undefined,
    });
  });

  it("is a problem where nobody picked up", () => {
    const state = play({ kind: "dial" }, { kind: "ended", problem: NO_ANSWER });
    expect(state).toMatchObject({ phase: "idle", problem: NO_ANSWER, farewell: undefined });
  });

  it("takes back that the call goes on", () => {
    const failed = event({ kind: "failed", code: "llm", message: "No answer." });
    expect(play(...live, failed, { kind: "hung_up" }).problem).toBeUndefined();
    expect(play(...live, failed, { kind: "ended" }).problem).toBe(LINE_LOST);
  });

  it("takes the last totals of what was thrown away also where the person has hung up", () => {
    const regret = { kind: "regret", replies: 3, tokens: 1, characters: 2, usd: 0 } as const;
    const state = play(...live, { kind: "hung_up" }, event(regret));
    expect(state).toMatchObject({ phase: "idle", farewell: "You hung up.", script: { regret } });
  });

  it("leaves nothing behind where dialling was cancelled", () => {
    expect(play({ kind: "dial" }, { kind: "hung_up" })).toMatchObject({
      phase: "idle",
      problem: undefined,
      farewell: undefined,
    });
  });
});
