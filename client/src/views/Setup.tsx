import type { Phone } from "../call/phone";
import { type Catalog, type Choice, isReady, type Pipeline } from "../server/catalog";
import { Icon } from "./Icon";
import { MicPicker } from "./MicPicker";

interface Props {
  catalog: Catalog | undefined;
  choice: Choice;
  /** What the link asked for in vain. */
  wishes: string[];
  phone: Phone;
  onChoose: (choice: Choice) => void;
  onConnect: () => void;
}

/** What a person chooses before the call. */
export function Setup({ catalog, choice, wishes, phone, onChoose, onConnect }: Props) {
  const pipelines = catalog?.pipelines ?? [];
  const chosen = pipelines.find(({ name }) => name === choice.pipeline);
  return (
    <form
      className="setup"
      onSubmit={(event) => {
        event.preventDefault();
        onConnect();
      }}
    >
      <div className="setup-pair">
        <label className="field">
          <span className="label">Bot</span>
          <select
            data-testid="bot-select"
            disabled={!catalog}
            value={choice.bot}
            onChange={(event) => onChoose({ ...choice, bot: event.target.value })}
          >
            {catalog?.bots.map(({ name, title }) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          <span className="label">Pipeline</span>
          <select
            data-testid="pipeline-select"
            disabled={!catalog}
            aria-describedby="pipeline-notes"
            value={choice.pipeline}
            onChange={(event) => onChoose({ ...choice, pipeline: event.target.value })}
          >
            {pipelines.map(({ name, ready }) => (
              <option key={name} value={name} disabled={!ready}>
                {ready ? name : `${name} (not ready)`}
              </option>
            ))}
          </select>
        </label>
      </div>
      <TransportPicker catalog={catalog} choice={choice} onChoose={onChoose} />
      <PipelineNotes id="pipeline-notes" chosen={chosen} pipelines={pipelines} wishes={wishes} />
      <MicPicker phone={phone} live={false} />
      <button
        type="submit"
        className="button call"
        data-testid="connect"
        disabled={!choice.bot || !chosen?.ready}
      >
        <Icon name="phone" />
        Connect
      </button>
    </form>
  );
}

/** Which way the sound goes; nothing to choose where there is one. */
function TransportPicker({
  catalog,
  choice,
  onChoose,
}: Pick<Props, "catalog" | "choice" | "onChoose">) {
  const ready = catalog?.transports.filter(isReady) ?? [];
  if (ready.length < 2) return null;
  const choose = (name: string) => {
    const found = ready.find((one) => one.name === name);
    if (found) onChoose({ ...choice, transport: found.name });
  };
  return (
    <label className="field transport">
      <span className="label">Transport</span>
      <select
        data-testid="transport-select"
        value={choice.transport}
        onChange={(event) => choose(event.target.value)}
      >
        {ready.map(({ name, title }) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

interface NotesProps {
  id: string;
  chosen: Pipeline | undefined;
  pipelines: Pipeline[];
  wishes: string[];
}

/** What the chosen pipeline is, and what keeps the others from being chosen. */
function PipelineNotes({ id, chosen, pipelines, wishes }: NotesProps) {
  const lacking = pipelines.filter(({ ready }) => !ready);
  return (
    <div id={id} className="notes">
      {wishes.map((sentence) => (
        <p key={sentence} className="note-warn">
          {sentence}
        </p>
      ))}
      {chosen && <p>{chosen.summary}</p>}
      {!chosen && pipelines.length > 0 && (
        <p className="note-warn">No pipeline can run on this server yet.</p>
      )}
      {lacking.length > 0 && (
        <details open={!chosen}>
          <summary>
            {lacking.length === 1
              ? `“${lacking[0]?.name}” is not ready`
              : `${lacking.length} pipelines are not ready`}
          </summary>
          {lacking.map(({ name, missing }) => (
            <div key={name} data-testid={`missing-${name}`}>
              {lacking.length > 1 && <p className="notes-name">{name}</p>}
              <ul>
                {missing.map((sentence) => (
                  <li key={sentence}>{sentence}</li>
                ))}
              </ul>
            </div>
          ))}
        </details>
      )}
    </div>
  );
}
