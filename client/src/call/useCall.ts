/** The call, for React: its state and what can be done. */

import {
  type BotOutputData,
  type DeviceError,
  type ErrorData,
  RTVIEvent,
  type RTVIMessage,
} from "@pipecat-ai/client-js";
import { useRTVIClientEvent } from "@pipecat-ai/client-react";
import { type Dispatch, useCallback, useEffect, useReducer } from "react";
import { note, probe } from "../probe";
import type { Choice } from "../server/catalog";
import { readEvent } from "./events";
import { watchLink } from "./link";
import { ClickNeededError, HungUpError, type Phone } from "./phone";
import { BOT_FAILED, explain, SERVER_GONE } from "./problem";
import { type Action, type CallState, IDLE, reduce } from "./state";

export interface Call {
  state: CallState;
  dial(choice: Choice): void;
  hangUp(): void;
  dismiss(): void;
}

export function useCall(phone: Phone): Call {
  const [state, dispatch] = useReducer(reduce, IDLE);
  useServer(phone, dispatch);
  useEnds(phone, dispatch, state.phase === "live");
  useEars(phone, dispatch);
  useLink(phone, dispatch, state.phase === "live");

  const dial = useCallback(
    (choice: Choice) => {
      dispatch({ kind: "dial" });
      phone
        .dial(choice, (step) => dispatch({ kind: "step", step }))
        .then(() => dispatch({ kind: "answered", atMs: performance.now() }))
        .catch(async (error: unknown) => {
          if (error instanceof HungUpError) return;
          const needsClick = error instanceof ClickNeededError;
          dispatch(
            needsClick ? { kind: "click_needed" } : { kind: "ended", problem: explain(error) },
          );
          await phone.hangUp();
        });
    },
    [phone],
  );
  const hangUp = useCallback(() => {
    dispatch({ kind: "hung_up" });
    void phone.hangUp();
  }, [phone]);
  const dismiss = useCallback(() => dispatch({ kind: "dismiss" }), []);
  return { state, dial, hangUp, dismiss };
}

/** What the line tells of itself. */
function useEnds(phone: Phone, dispatch: Dispatch<Action>, live: boolean): void {
  useRTVIClientEvent(
    RTVIEvent.Disconnected,
    useCallback(() => {
      if (!live) return;
      dispatch({ kind: "ended" });
      void phone.hangUp();
    }, [phone, dispatch, live]),
  );
  useRTVIClientEvent(
    RTVIEvent.Error,
    useCallback(
      ({ data }: RTVIMessage) => {
        if (live && (data as ErrorData).fatal) dispatch({ kind: "ended", problem: BOT_FAILED });
      },
      [dispatch, live],
    ),
  );
  useRTVIClientEvent(
    RTVIEvent.DeviceError,
    useCallback(
      (error: DeviceError) => {
        if (live) dispatch({ kind: "problem", problem: { ...explain(error), remedy: "none" } });
      },
      [dispatch, live],
    ),
  );
}

/** What the server tells. */
function useServer(phone: Phone, dispatch: Dispatch<Action>): void {
  useRTVIClientEvent(
    RTVIEvent.ServerMessage,
    useCallback(
      (data: unknown) => {
        const event = readEvent(data);
        if (!event) return;
        note(event);
        if (event.kind === "caller_started" && event.interrupts) phone.sound.interrupted();
        if (event.kind === "reply_started" || event.kind === "filled") phone.sound.replyStarted();
        if (event.kind === "false_stop") phone.sound.wentOn();
        dispatch({ kind: "event", event });
      },
      [phone, dispatch],
    ),
  );
  useRTVIClientEvent(
    RTVIEvent.BotOutput,
    useCallback(
      (data: BotOutputData) => {
        const { segment_id: segment, spoken_progress: progress } = data;
        if (segment === undefined || !progress) return;
        const { accumulated_text: spoken, remaining_text: coming } = progress;
        dispatch({ kind: "script", input: { kind: "bot_output", segment, spoken, coming } });
      },
      [dispatch],
    ),
  );
}

/** What is measured here. */
function useEars(phone: Phone, dispatch: Dispatch<Action>): void {
  useEffect(() => {
    probe.levels = phone.sound.levels;
    phone.sound.listener = {
      onEar(event) {
        if (event.kind === "barge_in") {
          probe.bargeStopMs.push(Math.round(event.stopMs));
          dispatch({ kind: "script", input: { kind: "stop", stopMs: event.stopMs } });
          return;
        }
        probe.earMs.push(Math.round(event.earMs));
        dispatch({ kind: "script", input: { kind: "ear", earMs: event.earMs } });
      },
      onVerdict(verdict) {
        if (verdict.kind === "silence") probe.silencedBy.push(verdict.by);
      },
    };
  }, [phone, dispatch]);
}

/** The connection, as long as the call goes; and the end of the call when the page goes. */
function useLink(phone: Phone, dispatch: Dispatch<Action>, live: boolean): void {
  useEffect(() => {
    const leave = () => void phone.hangUp();
    window.addEventListener("pagehide", leave);
    return () => window.removeEventListener("pagehide", leave);
  }, [phone]);
  useEffect(() => {
    if (!live) return;
    probe.micSettings = phone.micSettings;
    const stop = watchLink(() => phone.pulse(), {
      onShaky: (shaky) => dispatch({ kind: "shaky", shaky }),
      onServerGone: () => {
        dispatch({ kind: "ended", problem: SERVER_GONE });
        void phone.hangUp();
      },
    });
    const timer = setInterval(() => void phone.keepMic(), 1_000);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [phone, dispatch, live]);
}
