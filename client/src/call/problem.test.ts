import { DeviceError, type DeviceErrorType } from "@pipecat-ai/client-js";
import { describe, expect, it } from "vitest";
import { RefusedError, readRefusal, UNREACHABLE } from "../server/refusal";
import { explain } from "./problem";

async function refused(status: number, error: object, headers: Record<string, string> = {}) {
  const response = new Response(JSON.stringify({ error }), { status, headers });
  return explain(new RefusedError(await readRefusal(response)));
}

describe("a refusal of the server", () => {
  it("says when to try again where the line is full", async () => {
    const problem = await refused(429, { code: "full", message: "Full." }, { "Retry-After": "7" });
    expect(problem).toMatchObject({ title: "The line is full", remedy: "redial", waitSecs: 7 });
  });

  it("asks for a key", async () => {
    expect(await refused(401, { code: "unauthorized", message: "Key." })).toMatchObject({
      remedy: "key",
    });
  });

  it("names the field", async () => {
    const error = { code: "config", message: "stt.modle: no such setting.", field: "stt.modle" };
    expect(await refused(422, error)).toMatchObject({
      title: "The server does not accept “stt.modle”",
      detail: error.message,
    });
  });

  it("passes on what is missing", async () => {
    const problem = await refused(424, { code: "missing", message: "Run `offhook models pull`." });
    expect(problem.detail).toBe("Run `offhook models pull`.");
  });

  it("has words where a proxy answered with a page", async () => {
    const response = new Response("<h1>Oops</h1>", { status: 500 });
    const problem = explain(new RefusedError(await readRefusal(response)));
    expect(problem.detail).toBe("The server answered 500.");
  });

  it("has words where there was no answer", async () => {
    const response = new Response("<h1>Bad gateway</h1>", { status: 502 });
    const behindProxy = explain(new RefusedError(await readRefusal(response)));
    expect(behindProxy.title).toBe("The server does not answer");
    expect(explain(new RefusedError(UNREACHABLE)).title).toBe("The server does not answer");
  });
});

describe("a microphone that is not to be had", () => {
  it.each<[DeviceErrorType, RegExp]>([
    ["permissions", /blocked/],
    ["not-found", /no microphone/],
    ["in-use", /busy/],
    ["undefined-mediadevices", /gives this page no microphone/],
    ["unknown", /could not be opened/],
  ])("is explained: %s", (type, title) => {
    expect(explain(new DeviceError(["mic"], type)).title).toMatch(title);
  });
});
