/** Puts PCM into the audio graph and takes it out again. */

import pcmUrl from "./pcm.worklet.ts?worker&url";

export class Wire {
  /** Where the bot is heard. */
  readonly bot: AudioWorkletNode;
  /** Given 20 ms of the caller at a time. */
  onCaller: (pcm: ArrayBuffer) => void = () => undefined;
  private readonly caller: AudioWorkletNode;
  private source: MediaStreamAudioSourceNode | undefined;

  private constructor(graph: AudioContext) {
    const mono = { outputChannelCount: [1], numberOfInputs: 0 };
    this.bot = new AudioWorkletNode(graph, "pcm-bot", mono);
    this.caller = new AudioWorkletNode(graph, "pcm-caller", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    this.caller.port.onmessage = ({ data }) => this.onCaller(data);
  }

  static async over(graph: AudioContext): Promise<Wire> {
    await graph.audioWorklet.addModule(pcmUrl);
    return new Wire(graph);
  }

  listenTo(track: MediaStreamTrack | undefined): void {
    this.source?.disconnect();
    this.source = undefined;
    if (!track) return;
    const { context } = this.caller;
    this.source = (context as AudioContext).createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.caller);
  }

  say(pcm: Int16Array): void {
    this.bot.port.postMessage(pcm, [pcm.buffer]);
  }

  /** Nothing that waits to be played will be heard. */
  flush(): void {
    this.bot.port.postMessage("flush");
  }

  close(): void {
    this.listenTo(undefined);
    this.flush();
    this.caller.port.onmessage = null;
    this.bot.disconnect();
  }
}
