import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = "http://127.0.0.1:7860";

export default defineConfig({
  base: "./",
  plugins: [react()],
  resolve: {
    alias: {
      // The transport's default microphone code fetches a script from Daily's servers. Ours is in
      // src/call/mic.ts, so that code is left out of the page altogether.
      "@daily-co/daily-js": new URL("./src/call/absent.ts", import.meta.url).pathname,
    },
  },
  build: { target: "es2022", assetsInlineLimit: 0, reportCompressedSize: false },
  server: {
    proxy: Object.fromEntries(
      ["/bots", "/pipelines", "/start", "/sessions", "/healthz"].map((path) => [path, server]),
    ),
  },
});
