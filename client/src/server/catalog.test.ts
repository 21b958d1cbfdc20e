import { expect, it } from "vitest";
import {
  addressOf,
  type Catalog,
  firstChoice,
  goesStraightIn,
  type Transport,
  unmet,
} from "./catalog";

const pipeline = (name: string, ready: boolean, isDefault = false) => ({
  name,
  summary: "",
  default: isDefault,
  ready,
  missing: [],
});
const bot = (name: string, isDefault = false) => ({
  name,
  title: name,
  summary: "",
  default: isDefault,
});
const transport = (name: Transport["name"], ready: boolean, isDefault = false): Transport => ({
  name,
  title: name,
  default: isDefault,
  ready,
  missing: ready ? [] : ["Set DAILY_API_KEY."],
});
const catalog: Catalog = {
  bots: [bot("interviewer"), bot("receptionist", true)],
  pipelines: [pipeline("cloud", false), pipeline("simulated", true), pipeline("local", true, true)],
  transports: [
    transport("webrtc", true, true),
    transport("websocket", true),
    transport("daily", false),
  ],
};
const asked = (query: string) => firstChoice(catalog, new URLSearchParams(query));

it("begins with the defaults", () => {
  expect(asked("")).toEqual({ bot: "receptionist", pipeline: "local", transport: "webrtc" });
});

it("does what the link asks for", () => {
  expect(asked("bot=interviewer&pipeline=simulated&transport=websocket")).toEqual({
    bot: "interviewer",
    pipeline: "simulated",
    transport: "websocket",
  });
});

it("chooses nothing that is not there or not ready", () => {
  expect(asked("bot=nobody&pipeline=cloud&transport=daily")).toEqual(asked(""));
  expect(unmet(catalog, new URLSearchParams("bot=nobody"))).toEqual(["There is no bot “nobody”."]);
  expect(unmet(catalog, new URLSearchParams("transport=pigeon"))).toEqual([
    "There is no transport “pigeon”.",
  ]);
});

it("says what a transport lacks that the link asks for", () => {
  expect(unmet(catalog, new URLSearchParams("transport=daily"))).toEqual([
    "The transport “daily” is not ready here. Set DAILY_API_KEY.",
  ]);
  expect(unmet(catalog, new URLSearchParams("transport=websocket"))).toEqual([]);
});

it("goes straight in by a link with a transport, and not by its own address", () => {
  const choice = asked("transport=websocket");
  const own = new URLSearchParams(addressOf(choice, catalog));
  expect(firstChoice(catalog, own)).toEqual(choice);
  expect(goesStraightIn(own)).toBe(false);
  expect(goesStraightIn(new URLSearchParams("bot=interviewer"))).toBe(false);
  expect(goesStraightIn(new URLSearchParams("bot=interviewer&transport=websocket"))).toBe(true);
  expect(goesStraightIn(new URLSearchParams("bot=interviewer&go"))).toBe(true);
});

it("names no transport where there is one", () => {
  const alone = { ...catalog, transports: [transport("webrtc", true, true)] };
  expect(addressOf(asked(""), alone)).toBe("?bot=receptionist&pipeline=local");
});

it("takes what is ready where the default is not", () => {
  const pipelines = [pipeline("local", false, true), pipeline("simulated", true)];
  expect(firstChoice({ ...catalog, pipelines }, new URLSearchParams()).pipeline).toBe("simulated");
  const nothing = { bots: [], pipelines: [], transports: [] };
  expect(firstChoice(nothing, new URLSearchParams())).toEqual({
    bot: "",
    pipeline: "",
    transport: "webrtc",
  });
});
