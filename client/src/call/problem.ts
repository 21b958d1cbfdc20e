/** What went wrong, in words: what happened, what it means, what to do. */

import { DeviceError } from "@pipecat-ai/client-js";
import { type Refusal, RefusedError } from "../server/refusal";
import type { EndReason } from "./events";
import { NotConnectedError } from "./patience";

export interface Problem {
  title: string;
  detail: string;
  /** What the person can do about it here. */
  remedy: "redial" | "reload" | "key" | "none";
  /** Seconds after which another try makes sense. */
  waitSecs?: number;
}

export const INSECURE: Problem = {
  title: "The browser gives this page no microphone",
  detail:
    "A microphone is only given to pages that come over https, or from this same machine. Open " +
    "this page at its https address, or at http://localhost on the machine that runs the server.",
  remedy: "none",
};

export const SERVER_GONE: Problem = {
  title: "The server is gone",
  detail: "It does not answer any more. See that it is running and reachable, then call again.",
  remedy: "redial",
};

export const LINE_LOST: Problem = {
  title: "The line broke off",
  detail: "The connection to the bot was lost and could not be had back. Call again.",
  remedy: "redial",
};

export const NO_ANSWER: Problem = {
  title: "The bot did not answer",
  detail:
    "The connection stands, but the bot was not there within 30 seconds. The server’s log says " +
    "why. Try again.",
  remedy: "redial",
};

export const BOT_FAILED: Problem = {
  title: "The call failed on the server",
  detail: "The bot stopped working. The server’s log says why. Call again.",
  remedy: "redial",
};

export const PROVIDER_FAILED: Problem = {
  title: "A service that the bot needs has failed",
  detail: "The call could not go on without it. The server’s log says which, and why. Call again.",
  remedy: "redial",
};

const MIC: Record<string, Problem> = {
  permissions: {
    title: "The microphone is blocked",
    detail:
      "The browser, or the system, does not let this page hear you. Allow the microphone for this " +
      "page (the icon beside the address), then connect again.",
    remedy: "redial",
  },
  "not-found": {
    title: "There is no microphone",
    detail: "Plug one in, or switch it on in the system’s sound settings, then connect again.",
    remedy: "redial",
  },
  constraints: {
    title: "That microphone is gone",
    detail: "Choose another one, then connect again.",
    remedy: "redial",
  },
  "in-use": {
    title: "The microphone is busy",
    detail: "Another program holds it. Close that program, or choose another microphone.",
    remedy: "redial",
  },
  "undefined-mediadevices": INSECURE,
};

const MIC_UNKNOWN: Problem = {
  title: "The microphone could not be opened",
  detail: "Choose another one, or reload the page.",
  remedy: "redial",
};

/** What an error means to the person who dialled. */
export function explain(error: unknown): Problem {
  if (error instanceof DeviceError) return MIC[error.type] ?? MIC_UNKNOWN;
  if (error instanceof RefusedError) return explainRefusal(error.refusal);
  if (error instanceof NotConnectedError) return error.problem;
  return LINE_LOST;
}

const NOBODY_THERE: Problem = {
  title: "The server does not answer",
  detail: "See that it is running and reachable from here, then try again.",
  remedy: "redial",
};

export function explainRefusal({ status, code, message, ...rest }: Refusal): Problem {
  const { field, retryAfterSecs } = rest;
  switch (status) {
    case 0:
      return NOBODY_THERE;
    case 502:
    case 503:
    case 504:
      // A code that only repeats the status is that of a proxy, before a server that is not there.
      if (code.startsWith("http_")) return NOBODY_THERE;
      return {
        title:
          status === 503
            ? "A service that the server needs is busy"
            : "A service that the server needs has failed",
        detail: message,
        remedy: "redial",
        ...(retryAfterSecs !== undefined && { waitSecs: retryAfterSecs }),
      };
    case 401:
    case 403:
      return {
        title:
          code === "unknown_key"
            ? "The server does not know this key"
            : "This server asks for a key",
        detail: "Enter the API key you were given. It is kept until you close this tab.",
        remedy: "key",
      };
    case 404:
      return { title: "That is not here any more", detail: message, remedy: "reload" };
    case 422:
      return {
        title: field ? `The server does not accept “${field}”` : "The server does not accept this",
        detail: message,
        remedy: "redial",
      };
    case 424:
      return {
        title: "Something this pipeline needs is missing",
        detail: message,
        remedy: "redial",
      };
    case 429: {
      const waitSecs = retryAfterSecs ?? 10;
      const detail = "Every line is taken just now. One may be free again in a moment.";
      return { title: "The line is full", detail, remedy: "redial", waitSecs };
    }
    default:
      return { title: "Something failed on the server", detail: message, remedy: "redial" };
  }
}

/** Something failed in the call, and the call goes on. */
export function explainFailure(message: string): Problem {
  return {
    title: "Something failed in this call",
    detail: `${message} The call goes on: say it again, or hang up.`,
    remedy: "none",
  };
}

/** How the call ended: a sentence, or a problem where it should not have ended. */
export function explainEnd(reason: EndReason): string | Problem {
  switch (reason) {
    case "caller_hung_up":
      return "You hung up.";
    case "bot_hung_up":
      return "The bot hung up.";
    case "idle":
      return "Nobody spoke for a while, so the call ended.";
    case "max_duration":
      return "The call reached its time limit.";
    case "drained":
      return "The server is being stopped, so the call ended.";
    case "host_lost":
      return "The server went away, so the bot ended the call.";
    case "provider_failed":
      return PROVIDER_FAILED;
    case "crashed":
      return BOT_FAILED;
    case "never_joined":
      return NO_ANSWER;
  }
}
