import { describe, expect, it } from "vitest";
import { Ear, type EarEvent } from "./ear";

const ROOM = 0.0003;
const VOICE = 0.05;

type Spell = [fromMs: number, toMs: number];

interface Scene {
  caller: Spell[];
  bot: Spell[];
  lengthMs: number;
  /** When the server says that the caller interrupted. */
  interruptMs?: number;
  /** When the page decides that what it heard was a noise. */
  discardMs?: number;
  /** When the server says that the bot goes on after a pause. */
  wentOnMs?: number;
}

/** What an ear says of a scene, in frames of 10 ms, after five seconds of the room alone. */
function listen({ caller, bot, lengthMs, ...told }: Scene): EarEvent[] {
  const ear = new Ear();
  const events: EarEvent[] = [];
  const during = (spells: Spell[], ms: number) =>
    spells.some(([from, to]) => ms >= from && ms < to);
  for (let ms = -5_000; ms < lengthMs; ms += 10) {
    if (ms === told.interruptMs) ear.interrupt();
    if (ms === told.discardMs) ear.discard();
    if (ms === told.wentOnMs) ear.wentOn();
    const frame = {
      startMs: ms,
      endMs: ms + 10,
      caller: during(caller, ms) ? VOICE : ROOM,
      bot: during(bot, ms) ? VOICE : 0,
    };
    events.push(...ear.feed(frame));
  }
  return events;
}

describe("an answer", () => {
  it("is measured from the caller's last frame to the bot's first", () => {
    const events = listen({ caller: [[0, 2_000]], bot: [[2_900, 5_000]], lengthMs: 6_000 });
    expect(events).toEqual([{ kind: "answer", earMs: 900 }]);
  });

  it("counts from the end of a sentence with pauses in it", () => {
    const caller: Spell[] = [
      [0, 800],
      [1_100, 2_000],
    ];
    const events = listen({ caller, bot: [[2_700, 4_000]], lengthMs: 5_000 });
    expect(events).toEqual([{ kind: "answer", earMs: 700 }]);
  });

  it("is measured where the bot's first word is short and a pause follows", () => {
    const bot: Spell[] = [
      [3_000, 3_120],
      [3_400, 5_000],
    ];
    const events = listen({ caller: [[0, 2_000]], bot, lengthMs: 6_000 });
    expect(events).toEqual([{ kind: "answer", earMs: 1_000 }]);
  });

  it("is not a greeting: nobody had spoken", () => {
    expect(listen({ caller: [], bot: [[1_000, 3_000]], lengthMs: 4_000 })).toEqual([]);
  });

  it("is measured once a turn, whatever pauses the bot makes", () => {
    const bot: Spell[] = [
      [3_000, 4_000],
      [4_500, 5_500],
      [6_200, 7_000],
    ];
    const events = listen({ caller: [[0, 2_000]], bot, lengthMs: 8_000 });
    expect(events).toEqual([{ kind: "answer", earMs: 1_000 }]);
  });

  it("is measured for every turn", () => {
    const caller: Spell[] = [
      [0, 2_000],
      [6_000, 7_000],
    ];
    const bot: Spell[] = [
      [2_500, 5_000],
      [8_200, 9_000],
    ];
    const events = listen({ caller, bot, lengthMs: 10_000 });
    expect(events.map((event) => event.kind === "answer" && event.earMs)).toEqual([500, 1_200]);
  });

  it("is none where the bot cuts in", () => {
    const during = listen({ caller: [[0, 3_000]], bot: [[2_000, 5_000]], lengthMs: 6_000 });
    const inPause = listen({
      caller: [
        [0, 2_000],
        [2_400, 3_000],
      ],
      bot: [[2_300, 5_000]],
      lengthMs: 6_000,
    });
    expect([...during, ...inPause]).toEqual([]);
  });

  it("is none where the microphone hears but the bot's echo", () => {
    const caller: Spell[] = [
      [0, 1_000],
      [2_050, 3_080],
    ];
    const bot: Spell[] = [
      [2_000, 3_000],
      [3_500, 4_500],
    ];
    const events = listen({ caller, bot, lengthMs: 6_000 });
    expect(events.filter((event) => event.kind === "answer" && event.earMs < 900)).toEqual([]);
  });

  it("is none after a noise over which the bot talks on", () => {
    const events = listen({
      caller: [[3_000, 3_300]],
      bot: [
        [1_000, 3_130],
        [4_010, 6_000],
      ],
      discardMs: 4_000,
      lengthMs: 7_000,
    });
    expect(events).toEqual([]);
  });

  it.each([3_600, 3_700])("is none where the server went on after a pause", (wentOnMs) => {
    const events = listen({
      caller: [[3_000, 3_300]],
      bot: [
        [1_000, 3_130],
        [3_620, 6_000],
      ],
      wentOnMs,
      lengthMs: 7_000,
    });
    expect(events).toEqual([]);
  });

  it("counts from the caller's words also where a noise came while the bot was thinking", () => {
    const events = listen({
      caller: [[3_000, 4_000]],
      bot: [
        [1_000, 2_000],
        [4_900, 6_000],
      ],
      wentOnMs: 4_500,
      lengthMs: 7_000,
    });
    expect(events).toEqual([{ kind: "answer", earMs: 900 }]);
  });
});

describe("a barge-in", () => {
  it("is measured from the caller's first frame to the bot's last", () => {
    const events = listen({
      caller: [[3_000, 4_500]],
      bot: [[1_000, 3_140]],
      interruptMs: 3_300,
      lengthMs: 6_000,
    });
    expect(events).toEqual([{ kind: "barge_in", stopMs: 140 }]);
  });

  it("is followed by the answer to it", () => {
    const events = listen({
      caller: [[3_000, 4_500]],
      bot: [
        [1_000, 3_140],
        [5_300, 7_000],
      ],
      interruptMs: 3_300,
      lengthMs: 8_000,
    });
    expect(events).toEqual([
      { kind: "barge_in", stopMs: 140 },
      { kind: "answer", earMs: 800 },
    ]);
  });

  it("is answered also where one short word made it", () => {
    const events = listen({
      caller: [[3_000, 3_250]],
      bot: [
        [1_000, 3_200],
        [4_000, 6_000],
      ],
      interruptMs: 3_220,
      lengthMs: 7_000,
    });
    expect(events).toContainEqual({ kind: "answer", earMs: 750 });
  });

  it("is none where the bot had just come to its end", () => {
    const events = listen({ caller: [[2_900, 4_000]], bot: [[1_000, 3_000]], lengthMs: 6_000 });
    expect(events).toEqual([]);
  });
});
