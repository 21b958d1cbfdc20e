import { PipecatClientProvider } from "@pipecat-ai/client-react";
import { createRoot } from "react-dom/client";
import { Phone } from "./call/phone";
import { probe } from "./probe";
import "./style/tokens.css";
import "./style/page.css";
import "./style/controls.css";
import "./style/stage.css";
import "./style/transcript.css";
import "./style/strip.css";
import { Page } from "./views/Page";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

const phone = new Phone();
window.__offhook = probe;
createRoot(root).render(
  <PipecatClientProvider client={phone.client}>
    <Page phone={phone} />
  </PipecatClientProvider>,
);
