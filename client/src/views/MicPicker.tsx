import { usePipecatClientMediaDevices, usePipecatClientMicControl } from "@pipecat-ai/client-react";
import { useState } from "react";
import type { Phone } from "../call/phone";
import { explain, type Problem } from "../call/problem";
import { LevelMeter } from "./LevelMeter";

/** Which microphone, and whether it hears anything. */
export function MicPicker({ phone, live }: { phone: Phone; live: boolean }) {
  const { availableMics, selectedMic, updateMic } = usePipecatClientMediaDevices();
  const { isMicEnabled } = usePipecatClientMicControl();
  const [trying, setTrying] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const named = availableMics.filter(({ deviceId, label }) => deviceId && label);

  const toggle = async () => {
    setProblem(undefined);
    if (trying) {
      await phone.closeMic();
      setTrying(false);
      return;
    }
    await phone.tryMic().then(
      () => setTrying(true),
      (error: unknown) => setProblem(explain(error)),
    );
  };
  const picker = (
    <select
      aria-label="Microphone"
      data-testid="mic-select"
      value={selectedMic.deviceId ?? ""}
      disabled={named.length === 0}
      onChange={(event) => updateMic(event.target.value)}
    >
      {named.length === 0 && <option value="">The browser’s choice</option>}
      {named.map(({ deviceId, label }) => (
        <option key={deviceId} value={deviceId}>
          {label}
        </option>
      ))}
    </select>
  );
  if (live) {
    return (
      <details className="mic">
        <summary>
          <span className="mic-name">Microphone</span>
          <LevelMeter sound={phone.sound} muted={!isMicEnabled} />
        </summary>
        {picker}
      </details>
    );
  }
  return (
    <div className="mic">
      <div className="mic-row">
        <div className="field">
          <span className="label">Microphone</span>
          {picker}
        </div>
        <button
          type="button"
          className="button quiet"
          data-testid="mic-test"
          aria-pressed={trying}
          onClick={() => void toggle()}
        >
          {trying ? "Stop" : "Test"}
        </button>
      </div>
      {trying && <LevelMeter sound={phone.sound} muted={false} />}
      {problem && (
        <p className="note-warn" role="alert">
          {problem.title}. {problem.detail}
        </p>
      )}
    </div>
  );
}
