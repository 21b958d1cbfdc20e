/**
 * A caller made of Pipecat's packages alone, as its documentation has them. `?transport=` says
 * which; `window.stock` tells what happened. The microphone is Pipecat's `WavMediaManager`, since
 * the default one runs on a script from Daily's servers.
 */

import { PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import * as rtc from "@pipecat-ai/small-webrtc-transport";
import * as socket from "@pipecat-ai/websocket-transport";

const query = new URLSearchParams(location.search);
const transport = query.get("transport");
const requestData = { transport, pipeline: query.get("pipeline"), bot: query.get("bot") };
const start = { endpoint: `${location.origin}/start`, requestData };

const stock = {
  happened: [] as string[],
  heard: [] as string[],
  answered: [] as string[],
  /** Loudest sample of the bot's track, 0 to 1; a WebSocket has no track. */
  loudest: 0,
  call,
  hangUp: () => client.disconnect(),
};

const client = new PipecatClient({
  transport:
    transport === "websocket"
      ? new socket.WebSocketTransport({ mediaManager: new socket.WavMediaManager(512, 16_000) })
      : new rtc.SmallWebRTCTransport({ mediaManager: new rtc.WavMediaManager() }),
  enableMic: true,
  enableCam: false,
  callbacks: {
    onConnected: () => stock.happened.push("connected"),
    onBotReady: () => stock.happened.push("bot-ready"),
    onBotStartedSpeaking: () => stock.happened.push("bot-speaks"),
    onDisconnected: () => stock.happened.push("disconnected"),
    onError: ({ data }) => stock.happened.push(`error: ${JSON.stringify(data)}`),
    onUserTranscript: ({ text, final }) => {
      if (final) stock.heard.push(text);
    },
    onBotOutput: ({ text }) => stock.answered.push(text),
  },
});

client.on(RTVIEvent.TrackStarted, (track, participant) => {
  if (track.kind !== "audio" || participant?.local) return;
  void player(track).play();
  const context = new AudioContext();
  const analyser = new AnalyserNode(context);
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    stock.loudest = Math.max(stock.loudest, ...samples);
  }, 50);
});

function player(track: MediaStreamTrack): HTMLAudioElement {
  const element = new Audio();
  element.srcObject = new MediaStream([track]);
  return element;
}

async function call(): Promise<void> {
  await client.startBotAndConnect(start);
}

Object.assign(window, { stock });
