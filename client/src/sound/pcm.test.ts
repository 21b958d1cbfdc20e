import { expect, it } from "vitest";
import { Chunker, fromPcm, toPcm } from "./pcm";

it("turns samples into PCM and back", () => {
  const samples = Float32Array.from([0, 0.5, -0.5, 0.25]);
  for (const [at, sample] of fromPcm(toPcm(samples)).entries()) {
    expect(sample).toBeCloseTo(samples[at] ?? 0, 3);
  }
});

it("clips what is too loud", () => {
  expect([...toPcm(Float32Array.from([2, -2]))]).toEqual([32_767, -32_767]);
});

it("cuts a stream into equal chunks and loses nothing", () => {
  const chunker = new Chunker(320);
  const stream = Array.from({ length: 3 * 320 }, (_, at) => at);
  const chunks: Float32Array[] = [];
  for (let at = 0; at < stream.length; at += 43) {
    chunks.push(...chunker.push(Float32Array.from(stream.slice(at, at + 43))));
  }
  expect(chunks.map((chunk) => chunk.length)).toEqual([320, 320, 320]);
  expect(chunks.flatMap((chunk) => [...chunk])).toEqual(stream);
});
