import { expect, it } from "vitest";
import { type Catalog, firstChoice, unmet } from "./catalog";

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
const catalog: Catalog = {
  bots: [bot("interviewer"), bot("receptionist", true)],
  pipelines: [pipeline("cloud", false), pipeline("simulated", true), pipeline("local", true, true)],
};
const asked = (query: string) => firstChoice(catalog, new URLSearchParams(query));

it("begins with the defaults", () => {
  expect(asked("")).toEqual({ bot: "receptionist", pipeline: "local" });
});

it("does what the link asks for", () => {
  expect(asked("bot=interviewer&pipeline=simulated")).toEqual({
    bot: "interviewer",
    pipeline: "simulated",
  });
});

it("chooses nothing that is not there or not ready", () => {
  expect(asked("bot=nobody&pipeline=cloud")).toEqual({ bot: "receptionist", pipeline: "local" });
  expect(unmet(catalog, new URLSearchParams("bot=nobody"))).toEqual(["There is no bot “nobody”."]);
});

it("takes what is ready where the default is not", () => {
  const pipelines = [pipeline("local", false, true), pipeline("simulated", true)];
  expect(firstChoice({ ...catalog, pipelines }, new URLSearchParams()).pipeline).toBe("simulated");
  expect(firstChoice({ bots: [], pipelines: [] }, new URLSearchParams())).toEqual({
    bot: "",
    pipeline: "",
  });
});
