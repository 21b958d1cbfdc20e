"""The bot's own voice, come back from a room, is known; a caller who speaks over it is heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from processors.barge_guard import Act, BargeInGuard, Bot
from processors.echo import EchoGuess, bands
from processors.keen_vad import KeenVad
from tests.support.speech import RATE_HZ, clip

pytestmark = pytest.mark.integration

CHUNK = 320
BOT_DB, CALLER_DB, ROOM_DB = -22.0, -26.0, -67.0

Sound = NDArray[np.float64]


def at_level(samples: NDArray[np.int16], level_db: float) -> Sound:
    """Human speech of that level where it is loud, full scale being 1."""
    sound = samples.astype(np.float64) / 32768
    loud = sound[np.abs(sound) > np.abs(sound).max() / 20]
    return sound * 10 ** (level_db / 20) / np.sqrt(np.mean(loud**2))


def room(count: int) -> Sound:
    return np.random.default_rng(0).normal(0, 10 ** (ROOM_DB / 20), count)


@dataclass
class Loudspeaker:
    """What comes back: late, weaker, coloured, with a few reflections."""

    loss_db: float
    delay_ms: int
    heard: Sound = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        walls = np.zeros(1600)
        for at, gain in ((0, 1.0), (90, 0.5), (250, -0.35), (600, 0.25), (1200, -0.15)):
            walls[at] = gain
        small = np.convolve(walls, [1, -0.45])
        small *= 10 ** (-self.loss_db / 20) / np.sqrt((small**2).sum())
        self._walls = np.concatenate((np.zeros(self.delay_ms * 16), small))

    def play(self, chunk: Sound) -> Sound:
        """The same 20 ms at the microphone."""
        tail = np.convolve(chunk, self._walls)
        missing = len(tail) - len(self.heard)
        self.heard = np.concatenate((self.heard, np.zeros(max(0, missing))))
        self.heard[: len(tail)] += tail
        now, self.heard = self.heard[:CHUNK], self.heard[CHUNK:]
        return now


def talk(bot: Sound, leak: Loudspeaker, caller: Sound) -> list[tuple[float, Act]]:
    """What the guard does with a real detector; a held bot is silent, and goes on later."""
    vad, guard, echo = KeenVad(), BargeInGuard(partials=True), EchoGuess()
    vad.set_sample_rate(RATE_HZ)
    acts: list[tuple[float, Act]] = []
    spoken = 0
    for start in range(0, len(caller) - CHUNK, CHUNK):
        now_ms = (start + CHUNK) / 16
        chunk = np.zeros(CHUNK)
        if not guard.paused and spoken + CHUNK <= len(bot):
            chunk = bot[spoken : spoken + CHUNK]
            spoken += CHUNK
            echo.bot(pcm(chunk), RATE_HZ, now_ms=now_ms)
        heard = pcm(leak.play(chunk) + caller[start : start + CHUNK])
        vad._run_analyzer(heard)  # pyright: ignore[reportPrivateUsage]
        echo.caller(heard, RATE_HZ, now_ms=now_ms)
        run = vad.run
        ruling = guard.voice(
            run.voiced_ms, run.quiet_ms, now_ms=now_ms, bot=Bot(echo=echo.likely())
        )
        if ruling:
            acts.append((now_ms, ruling.act))
        if ruling and ruling.act is Act.INTERRUPT:
            break
    return acts


def pcm(sound: Sound) -> bytes:
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("loss_db", [10, 20, 30])
@pytest.mark.parametrize("delay_ms", [40, 150, 300])
@pytest.mark.parametrize("name", ["0870", "0890"])
async def test_its_own_voice_never_stops_the_bot(name: str, loss_db: int, delay_ms: int) -> None:
    bot = at_level(clip(name), BOT_DB)
    leak = Loudspeaker(loss_db, delay_ms)
    acts = await asyncio.to_thread(talk, bot, leak, room(len(bot) + RATE_HZ))
    assert Act.INTERRUPT not in [act for _, act in acts]


@pytest.mark.parametrize("loss_db", [10, 20, 30, 100])
@pytest.mark.parametrize("name", ["0890", "0920"])
async def test_a_second_speaker_over_it_does(name: str, loss_db: int) -> None:
    bot = at_level(clip("0870"), BOT_DB)
    caller = room(len(bot))
    onset_ms, begins = 2500, 260
    said = at_level(clip(name), CALLER_DB)[begins * 16 :][: len(bot) - onset_ms * 16]
    caller[onset_ms * 16 : onset_ms * 16 + len(said)] += said
    acts = await asyncio.to_thread(talk, bot, Loudspeaker(loss_db, 120), caller)
    stopped_ms, act = acts[-1]
    assert act is Act.INTERRUPT
    assert onset_ms < stopped_ms < onset_ms + 2000


def test_without_a_bot_nothing_is_an_echo() -> None:
    echo = EchoGuess()
    speech = clip("0880").tobytes()
    for start in range(0, len(speech), 2 * CHUNK):
        echo.caller(speech[start : start + 2 * CHUNK], RATE_HZ, now_ms=start / 32)
        assert not echo.likely()


@given(st.binary(max_size=2000).map(lambda data: data[: len(data) // 2 * 2]))
def test_any_audio_has_finite_levels(audio: bytes) -> None:
    levels = bands(audio, RATE_HZ)
    assert np.isfinite(levels).all()
    assert (levels >= 0).all()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 500)), max_size=60))
def test_it_takes_audio_at_any_time(steps: list[tuple[bool, int]]) -> None:
    echo, now_ms = EchoGuess(), 0
    for is_bot, later_ms in steps:
        now_ms += later_ms
        (echo.bot if is_bot else echo.caller)(bytes(640), RATE_HZ, now_ms=now_ms)
        assert not echo.likely()
