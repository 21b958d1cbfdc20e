import type { Transport } from "../server/catalog";
import { Icon } from "./Icon";

interface Props {
  transport: Transport | undefined;
  onConnect: () => void;
  onChooseOtherwise: () => void;
}

/** For a link that goes straight in, in a browser that wants a click before it lets it. */
export function Doorstep({ transport, onConnect, onChooseOtherwise }: Props) {
  return (
    <div className="doorstep" data-testid="doorstep">
      <button type="button" className="button call" data-testid="connect" onClick={onConnect}>
        <Icon name="phone" />
        Start talking
      </button>
      <p>
        Your browser wants one click before a page may be heard. It opens your microphone and calls
        at once{transport && <>, over {transport.title}</>}.
      </p>
      <button type="button" className="button quiet" onClick={onChooseOtherwise}>
        Choose otherwise
      </button>
    </div>
  );
}
