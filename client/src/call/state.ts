/** Where the page is with its call: one value, changed by what happens. */

import type { CallEvent, EndReason } from "./events";
import { type Floor, pass } from "./floor";
import type { Step } from "./phone";
import { explainEnd, explainFailure, LINE_LOST, type Problem } from "./problem";
import { EMPTY_SCRIPT, type Script, type ScriptInput, write } from "./script";

export interface CallState {
  phase: "idle" | "dialling" | "live";
  step: Step;
  floor: Floor;
  script: Script;
  problem: Problem | undefined;
  /** How the last call ended, where that is no problem. */
  farewell: string | undefined;
  endReason: EndReason | undefined;
  /** On the page's clock. */
  startedAtMs: number | undefined;
  /** Nothing comes through at the moment. */
  shaky: boolean;
  /** The call begins once the person clicks; the browser wants it so. */
  clickNeeded: boolean;
}

export const IDLE: CallState = {
  phase: "idle",
  step: "microphone",
  floor: "listening",
  script: EMPTY_SCRIPT,
  problem: undefined,
  farewell: undefined,
  endReason: undefined,
  startedAtMs: undefined,
  shaky: false,
  clickNeeded: false,
};

export type Action =
  | { kind: "dial" }
  | { kind: "step"; step: Step }
  | { kind: "answered"; atMs: number }
  | { kind: "event"; event: CallEvent }
  | { kind: "script"; input: ScriptInput }
  | { kind: "shaky"; shaky: boolean }
  | { kind: "problem"; problem: Problem }
  | { kind: "dismiss" }
  | { kind: "click_needed" }
  /** The call is over; with a problem where it should not be. */
  | { kind: "ended"; problem?: Problem }
  | { kind: "hung_up" };

export function reduce(state: CallState, action: Action): CallState {
  switch (action.kind) {
    case "dial":
      return { ...IDLE, phase: "dialling" };
    case "step":
      return state.phase === "dialling" ? { ...state, step: action.step } : state;
    case "answered":
      return state.phase === "dialling"
        ? { ...state, phase: "live", startedAtMs: action.atMs }
        : state;
    case "event":
      return happen(state, action.event);
    case "script":
      return { ...state, script: write(state.script, action.input) };
    case "shaky":
      return { ...state, shaky: action.shaky };
    case "problem":
      return { ...state, problem: action.problem };
    case "dismiss":
      return { ...state, problem: undefined, clickNeeded: false };
    case "click_needed":
      return state.phase === "dialling" ? { ...IDLE, clickNeeded: true } : state;
    case "ended":
      return end(state, action.problem);
    case "hung_up":
      return over(state, state.phase === "live" ? { farewell: "You hung up." } : {});
  }
}

function happen(state: CallState, event: CallEvent): CallState {
  return {
    ...state,
    script: write(state.script, event),
    floor: pass(state.floor, event),
    problem: event.kind === "failed" ? explainFailure(event.message) : state.problem,
    endReason: event.kind === "call_ended" ? event.reason : state.endReason,
  };
}

function end(state: CallState, problem: Problem | undefined): CallState {
  if (state.phase === "idle") return state;
  if (state.endReason === undefined) return over(state, { problem: problem ?? LINE_LOST });
  const words = explainEnd(state.endReason);
  return over(state, typeof words === "string" ? { farewell: words } : { problem: words });
}

function over(
  state: CallState,
  words: Pick<Partial<CallState>, "farewell" | "problem">,
): CallState {
  const script = write(state.script, { kind: "call_ended", reason: "caller_hung_up" });
  return { ...IDLE, script, ...words };
}
