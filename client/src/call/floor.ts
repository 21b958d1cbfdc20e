/** Whose turn it is. */

import type { CallEvent } from "./events";

export type Floor = "listening" | "thinking" | "speaking";

/** Who has the floor after `event`, in a call where it was `floor` before. */
export function pass(floor: Floor, event: CallEvent): Floor {
  switch (event.kind) {
    case "caller_started":
      return "listening";
    case "caller_stopped":
      return floor === "speaking" ? floor : "thinking";
    case "reply_started":
      return "speaking";
    case "reply_ended":
      return floor === "speaking" ? "listening" : floor;
    case "failed":
      return floor === "thinking" ? "listening" : floor;
    default:
      return floor;
  }
}
