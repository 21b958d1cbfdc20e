/** Why the way to the bot did not open, in words: what happened, what it means, what to do. */

import type { Problem } from "./problem";

/** The server took the call and answered, and no sound finds a way between the two. */
export function noPath(iceServers: readonly RTCIceServer[]): Problem {
  const relayed = iceServers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url)));
  return {
    title: "The server took the call, but no sound gets through",
    detail: relayed
      ? "Your browser and the server found no way to each other, not even over the TURN server " +
        "that this server names. See that it runs, that both sides reach its ports, and that its " +
        "secret is the one in OFFHOOK_TURN_SECRET. Until then, call from another network."
      : "Your browser and the server found no way to each other. Usually a firewall or two " +
        "separate networks are between them: the server then needs a TURN server " +
        "(OFFHOOK_TURN_URLS). Until it has one, call from another network.",
    remedy: "redial",
  };
}

export const SOCKET_CLOSED: Problem = {
  title: "The server took the call, but the WebSocket did not open",
  detail:
    "What is between you and the server may not let WebSockets through; a reverse proxy has to be " +
    "told to pass them on. Try again, or choose another transport.",
  remedy: "redial",
};

export const DAILY_UNREACHABLE: Problem = {
  title: "Daily’s servers cannot be reached",
  detail:
    "The server opened a room for you, but your browser could not get to Daily (c.daily.co and " +
    "*.daily.co), which carries the sound. You may be offline, or a firewall or a blocker may be " +
    "in the way. Let these addresses through, or choose another transport.",
  remedy: "redial",
};

export function dailyRefused(reason: string): Problem {
  return {
    title: "Daily did not let you in",
    detail: `It says: “${reason}”. The room may have expired. Call again for a new one.`,
    remedy: "redial",
  };
}

export function liveKitUnreachable(url: string): Problem {
  return {
    title: "The LiveKit server cannot be reached",
    detail:
      `The server took the call, but your browser could not connect to ${url}, which carries the ` +
      "sound. See that it runs and that this address and its UDP ports are open from here, or " +
      "choose another transport.",
    remedy: "redial",
  };
}

export const LIVEKIT_REFUSED: Problem = {
  title: "The LiveKit server did not let you in",
  detail:
    "It does not accept what this server signed. LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be " +
    "those of the server in LIVEKIT_URL. The operator has to see to it.",
  remedy: "redial",
};

export const BOT_NOT_THERE: Problem = {
  title: "The bot did not come",
  detail:
    "You are in the room, but the bot is not: the server could not get it there. The server’s log " +
    "says why. Call again.",
  remedy: "redial",
};
