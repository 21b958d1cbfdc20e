import { describe, expect, it } from "vitest";
import { Playout } from "./playout";

const RATE_HZ = 1_000;
const ones = (count: number, value = 1) => new Float32Array(count).fill(value);

function read(playout: Playout, count: number): number[] {
  const out = new Float32Array(count);
  playout.read(out);
  return [...out];
}

describe("the samples that wait to be played", () => {
  it("begin when a little of them has gathered", () => {
    const playout = new Playout(RATE_HZ);
    playout.push(ones(20));
    expect(read(playout, 10)).toEqual([...ones(10, 0)]);
    playout.push(ones(20));
    expect(read(playout, 10)).toEqual([...ones(10)]);
  });

  it("begin a moment later where there are only few", () => {
    const playout = new Playout(RATE_HZ);
    playout.push(ones(5));
    const heard = [1, 2, 3, 4, 5].flatMap(() => read(playout, 10));
    expect(heard.reduce((sum, one) => sum + one, 0)).toBe(5);
  });

  it("come in order, over the edges of the chunks", () => {
    const playout = new Playout(RATE_HZ);
    for (let value = 0; value < 10; value += 1) playout.push(ones(7, value + 1));
    const heard = [1, 2, 3, 4, 5, 6, 7, 8].flatMap(() => read(playout, 10));
    const expected = Array.from({ length: 70 }, (_, at) => Math.floor(at / 7) + 1);
    expect(heard.slice(0, 70)).toEqual(expected);
    expect(heard.slice(70)).toEqual([...ones(10, 0)]);
  });

  it("are gone at once when they are flushed", () => {
    const playout = new Playout(RATE_HZ);
    playout.push(ones(500));
    expect(read(playout, 10)).toEqual([...ones(10)]);
    playout.flush();
    expect(read(playout, 10)).toEqual([...ones(10, 0)]);
    playout.push(ones(40, 2));
    expect(read(playout, 10)).toEqual([...ones(10, 2)]);
  });

  it("gather anew when they ran out", () => {
    const playout = new Playout(RATE_HZ);
    playout.push(ones(40));
    read(playout, 50);
    playout.push(ones(10));
    expect(read(playout, 10)).toEqual([...ones(10, 0)]);
  });
});
