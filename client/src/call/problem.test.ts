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

  it.each([
    [502, "daily_key", "Daily refuses the key (401). Check DAILY_API_KEY."],
    [502, "daily", "Daily has a fault of its own (500). Try again soon."],
    [504, "daily_unreachable", "Daily does not answer. Check this server's way to DAILY_API_URL."],
  ])("passes on what a service behind the server did: %i %s", async (status, code, message) => {
    expect(await refused(status, { code, message })).toEqual({
      title: "A service that the server needs has failed",
      detail: message,
      remedy: "redial",
    });
  });

  it("says when to try again where a service behind the server is busy", async () => {
    const error = { code: "daily_busy", message: "Daily has too many requests (429)." };
    const busy = {
      title: "A service that the server needs is busy",
      detail: error.message,
      remedy: "redial",
    };
    expect(await refused(503, error, { "Retry-After": "7" })).toEqual({ ...busy, waitSecs: 7 });
    expect(await refused(503, error)).toEqual(busy);
  });

  it.each([502, 503, 504])("has words where only a proxy answered: %i", async (status) => {
    const title = "The server does not answer";
    for (const body of [null, "<h1>Oops</h1>", '{"error": "Oops"}']) {
      const refusal = await readRefusal(new Response(body, { status }));
      expect(explain(new RefusedError(refusal)).title).toBe(title);
    }
    const named = await refused(status, { code: `http_${status}`, message: "Oops" });
    expect(named.title).toBe(title);
    expect(named.detail).not.toContain("Oops");
  });

  it("has words where there was no answer", () => {
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
