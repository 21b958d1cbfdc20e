import { expect, it } from "vitest";
import { Resampler } from "./resampler";
import { dbfs } from "./speech";

const sine = (hz: number, rateHz: number, secs: number) =>
  Float32Array.from({ length: rateHz * secs }, (_, at) =>
    Math.sin((2 * Math.PI * hz * at) / rateHz),
  );
const rms = (samples: Float32Array) =>
  Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);
const inner = (samples: Float32Array) => samples.slice(400, -400);

/** In pieces of 128, as the audio graph gives them. */
function convert(samples: Float32Array, fromHz: number, toHz: number): Float32Array {
  const resampler = new Resampler(fromHz, toHz);
  const out: number[] = [];
  for (let at = 0; at < samples.length; at += 128) {
    out.push(...resampler.push(samples.slice(at, at + 128)));
  }
  return Float32Array.from(out);
}

/** What is in `samples` beside a tone: a tone is its two neighbours' sum but for a factor. */
function residue(samples: Float32Array, hz: number, rateHz: number): Float32Array {
  const swing = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  const steady = inner(samples);
  return steady
    .slice(1, -1)
    .map((sample, at) => (steady[at] ?? 0) + (steady[at + 2] ?? 0) - swing * sample);
}

const RATES: [number, number][] = [
  [48_000, 16_000],
  [44_100, 16_000],
  [16_000, 16_000],
  [24_000, 48_000],
  [24_000, 44_100],
];

it.each(RATES)("keeps a voice as it is, %i to %i", (fromHz, toHz) => {
  const out = convert(sine(1_000, fromHz, 1), fromHz, toHz);
  expect(out.length).toBeGreaterThan(toHz * 0.995);
  expect(out.length).toBeLessThanOrEqual(toHz);
  expect(dbfs(rms(inner(out)))).toBeCloseTo(-3, 0);
  expect(dbfs(rms(residue(out, 1_000, toHz)))).toBeLessThan(-50);
});

it("lets nothing fold down that the lower rate cannot carry", () => {
  const out = convert(sine(11_000, 48_000, 1), 48_000, 16_000);
  expect(dbfs(rms(inner(out)))).toBeLessThan(-40);
});

it("makes no images of what it spreads out", () => {
  const out = convert(sine(3_000, 24_000, 1), 24_000, 48_000);
  expect(dbfs(rms(residue(out, 3_000, 48_000)))).toBeLessThan(-40);
});
