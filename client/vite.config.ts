import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const server = "http://127.0.0.1:7860";
const absent = new URL("./src/call/absent.ts", import.meta.url).pathname;

/**
 * The transports' default microphone code fetches a script from Daily's servers. Ours is in
 * src/call/mic.ts, so that code is left out; only the Daily line itself has Daily's library.
 */
const microphoneIsOurs: Plugin = {
  name: "microphone-is-ours",
  enforce: "pre",
  resolveId(source, importer = "") {
    const isOthers = /(small-webrtc|websocket)-transport/.test(importer);
    return source === "@daily-co/daily-js" && isOthers ? absent : null;
  },
};

export default defineConfig({
  base: "./",
  plugins: [react(), microphoneIsOurs],
  optimizeDeps: { rolldownOptions: { plugins: [microphoneIsOurs] } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: Object.fromEntries(
      ["/bots", "/pipelines", "/transports", "/start", "/sessions", "/healthz"].map((path) => [
        path,
        { target: server, ws: true },
      ]),
    ),
  },
});
