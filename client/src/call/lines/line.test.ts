import { expect, it, vi } from "vitest";
import { isLineName, sessionOf } from "./line";
import { parse } from "./livekit";
import { socketUrl } from "./websocket";

vi.mock("../../sound/pcm.worklet.ts?worker&url", () => ({ default: "" }));

it("knows its lines by name", () => {
  expect(["webrtc", "websocket", "daily", "livekit"].every(isLineName)).toBe(true);
  expect(["twilio", "toString", ""].some(isLineName)).toBe(false);
});

it("finds the session in any answer", () => {
  expect(sessionOf({ sessionId: "7" })).toBe("7");
  expect(sessionOf({ wsUrl: "ws://here/sessions/8/ws?token=9" })).toBe("8");
  expect(sessionOf({})).toBeUndefined();
});

it("opens the socket by the scheme that the page may use", () => {
  const given = "ws://here.example/sessions/8/ws?token=a%2Fb";
  expect(socketUrl(given, "http://here.example/")).toBe(given);
  expect(socketUrl(given, "https://here.example/?bot=x")).toBe(given.replace("ws:", "wss:"));
  expect(socketUrl("/sessions/8/ws", "http://here.example/")).toBe(
    "ws://here.example/sessions/8/ws",
  );
});

it("takes RTVI messages out of a room's data and nothing else", () => {
  const read = (text: string) => parse(new TextEncoder().encode(text));
  expect(read('{"label":"rtvi-ai","type":"bot-ready","id":"1"}')).toMatchObject({
    type: "bot-ready",
  });
  expect(read('{"type":"chat"}')).toBeUndefined();
  expect(read("null")).toBeUndefined();
  expect(read("hello")).toBeUndefined();
});
