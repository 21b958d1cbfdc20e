import { useCallback, useEffect, useRef, useState } from "react";
import type { Phone } from "../call/phone";
import { useCall } from "../call/useCall";
import { type Choice, isReady } from "../server/catalog";
import { apiKey } from "../server/request";
import { Alert } from "./Alert";
import { CallBar } from "./CallBar";
import { Controls } from "./Controls";
import { Doorstep } from "./Doorstep";
import { Setup } from "./Setup";
import { Shape } from "./Shape";
import { Status } from "./Status";
import { Transcript } from "./Transcript";
import { useCatalog } from "./useCatalog";
import { useStraightIn } from "./useStraightIn";

/** The whole page: the call on the left, what was said on the right. */
export function Page({ phone }: { phone: Phone }) {
  const { catalog, problem: loading, choice, wishes, choose, reload } = useCatalog();
  const { state, dial, hangUp, dismiss } = useCall(phone);
  const [called, setCalled] = useState<Choice>(choice);
  const idle = state.phase === "idle";
  const bot = catalog?.bots.find(({ name }) => name === (idle ? choice : called).bot);

  // The button that had the focus is gone when a call begins or ends: the next Tab goes on there.
  const stage = useRef<HTMLElement>(null);
  const wasIdle = useRef(idle);
  useEffect(() => {
    if (wasIdle.current === idle) return;
    wasIdle.current = idle;
    if (document.activeElement === document.body) stage.current?.focus({ preventScroll: true });
  }, [idle]);

  const connect = useCallback(() => {
    setCalled(choice);
    dial(choice);
  }, [choice, dial]);
  useStraightIn(catalog, connect);
  const ready = catalog?.transports.filter(isReady) ?? [];
  const ways = ready.length > 1 ? ready : [];
  const path = ways.length > 0 ? `${called.pipeline} · ${called.transport}` : called.pipeline;
  useEffect(() => {
    if (catalog) phone.prepare(choice.transport);
  }, [phone, catalog, choice.transport]);
  const useKey = useCallback(
    (key: string) => {
      apiKey.set(key);
      if (catalog) connect();
      else reload();
    },
    [catalog, connect, reload],
  );
  const problem = state.problem ?? loading;
  const retry = () => {
    if (catalog && problem?.remedy === "redial") return connect();
    dismiss();
    reload();
  };

  return (
    <div className="page" data-phase={state.phase} data-script={state.script.lines.length > 0}>
      <CallBar state={state} bot={bot} path={path} />
      <main className="desk">
        <section
          ref={stage}
          tabIndex={-1}
          className="stage"
          data-compact={problem !== undefined}
          aria-label="Call"
        >
          <div className="stage-head">
            <Shape sound={phone.sound} state={state} />
            <Status state={state} bot={bot} />
          </div>
          {problem && (
            <Alert
              key={problem.title}
              problem={problem}
              onRetry={retry}
              onKey={useKey}
              onDismiss={state.problem ? dismiss : undefined}
            />
          )}
          {!idle ? (
            <Controls phone={phone} live={state.phase === "live"} onHangUp={hangUp} />
          ) : state.clickNeeded ? (
            <Doorstep
              transport={ways.find(({ name }) => name === choice.transport)}
              onConnect={connect}
              onChooseOtherwise={dismiss}
            />
          ) : (
            <Setup
              catalog={catalog}
              choice={choice}
              wishes={wishes}
              phone={phone}
              onChoose={choose}
              onConnect={connect}
            />
          )}
        </section>
        <Transcript script={state.script} bot={bot?.title ?? "Bot"} live={!idle} />
      </main>
    </div>
  );
}
