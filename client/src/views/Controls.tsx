import { usePipecatClientMicControl } from "@pipecat-ai/client-react";
import type { Phone } from "../call/phone";
import { Icon } from "./Icon";
import { MicPicker } from "./MicPicker";

/** What a person can do in a call. */
export function Controls(props: { phone: Phone; live: boolean; onHangUp: () => void }) {
  const { phone, live, onHangUp } = props;
  const { enableMic, isMicEnabled } = usePipecatClientMicControl();
  return (
    <div className="controls">
      <div className="controls-row">
        <button
          type="button"
          className="button quiet"
          data-testid="mute"
          aria-pressed={!isMicEnabled}
          disabled={!live}
          onClick={() => enableMic(!isMicEnabled)}
        >
          <Icon name={isMicEnabled ? "mic" : "mic-off"} />
          {isMicEnabled ? "Mute" : "Unmute"}
        </button>
        <button type="button" className="button end" data-testid="hangup" onClick={onHangUp}>
          <Icon name="hangup" />
          {live ? "Hang up" : "Cancel"}
        </button>
      </div>
      {live && <MicPicker phone={phone} live />}
    </div>
  );
}
