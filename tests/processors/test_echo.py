"""The bot's own voice, come back from a room, is known; a caller who speaks over it is heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from processors.barge_guard import Act, BargeInGuard, Bot
from processors.echo import ALIKE, BELOW_DB, ERROR_DB, EXCESS_DB, EchoGuess, bands
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


class PlainGuess:
    """`EchoGuess` for sound that comes on time, one chunk and one delay after the other."""

    def __init__(self) -> None:
        self.sent: list[Sound] = [np.full(6, -80.0)] * 75
        self.heard: list[Sound] = [np.full(6, -80.0)] * 75
        self.path: tuple[int, Sound] | None = None

    def step(self, bot: bytes, caller: bytes) -> None:
        self.sent.append(plain_levels(bot))
        self.heard.append(plain_levels(caller))
        if (len(self.heard) - 75) % 10 == 0:
            self.learn()

    def learn(self) -> None:
        mic = np.maximum(self.heard[-50:], -68)
        if np.max(self.sent[-10:]) < -50 or np.max(mic) <= -68:
            return
        found = [plain_alike(mic, self.then(lag, 50)) for lag in range(26)]
        lag = int(np.argmax(found))
        then = self.then(lag, 50)
        audible = (mic > -65).sum(axis=1) >= 2
        if found[lag] < ALIKE or audible.sum() < 8:
            return
        gain_db = np.median((mic - then)[audible], axis=0)
        error_db = np.abs(mic - then - gain_db)[audible].mean()
        if error_db <= ERROR_DB and plain_level(then) - plain_level(mic) >= BELOW_DB:
            self.path = lag, gain_db

    def likely(self) -> bool:
        if self.path is None:
            return False
        lag, gain_db = self.path
        mic = np.maximum(self.heard[-5:], -68)
        near = [each for each in (lag - 1, lag, lag + 1) if 0 <= each <= 25]
        expected = [np.maximum(self.then(each, 5) + gain_db, -68) for each in near]
        return any(
            bool((each > -68).any()) and np.maximum(mic - each, 0).mean() < EXCESS_DB
            for each in expected
        )

    def then(self, lag: int, steps: int) -> Sound:
        end = len(self.sent) - lag
        return np.array(self.sent[end - steps : end])


def plain_levels(audio: bytes) -> Sound:
    samples = np.frombuffer(audio, "<i2") / 32768
    power = np.abs(np.fft.rfft(samples * np.hanning(CHUNK))) ** 2 * 2 / CHUNK**2 / 0.375
    edges = [int(hz * CHUNK / RATE_HZ) for hz in (150, 400, 700, 1100, 1700, 2500, 3600)]
    sums = [power[a:b].sum() for a, b in pairwise(edges)]
    return 10 * np.log10(np.maximum(sums, 1e-8))


def plain_level(rows: Sound) -> float:
    return float(10 * np.log10((10 ** (rows / 10)).sum()))


def plain_alike(mic: Sound, then: Sound) -> float:
    heard = np.maximum(then - max(plain_level(then) - plain_level(mic), 0), -68)
    a, b = mic - mic.mean(axis=0), heard - heard.mean(axis=0)
    spread = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / spread) if spread else 0.0


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


@given(
    stretches=st.lists(st.integers(1, 80), max_size=8),
    asks=st.sets(st.integers(0, 200)),
    loss_db=st.sampled_from([8, 20, 30]),
    lag=st.integers(0, 20),
    voice_at=st.integers(0, 200),
)
@settings(max_examples=10, deadline=None)
def test_it_guesses_as_if_it_looked_at_one_chunk_after_the_other(
    stretches: list[int], asks: set[int], loss_db: int, lag: int, voice_at: int
) -> None:
    leak, echo, plain = Loudspeaker(loss_db, lag * 20), EchoGuess(), PlainGuess()
    bot, voice = at_level(clip("0870"), BOT_DB), at_level(clip("0880"), CALLER_DB)
    caller = room(200 * CHUNK)
    said = voice[: max(0, len(caller) - voice_at * CHUNK)]
    caller[voice_at * CHUNK :][: len(said)] += said
    held = np.repeat(np.arange(len(stretches)) % 2 == 1, stretches)
    for step in range(200):
        at = slice(step * CHUNK, step * CHUNK + CHUNK)
        sent = np.zeros(CHUNK) if step < len(held) and held[step] else bot[at]
        heard = pcm(leak.play(sent) + caller[at])
        echo.bot(pcm(sent), RATE_HZ, now_ms=20 * step + 20)
        echo.caller(heard, RATE_HZ, now_ms=20 * step + 20)
        plain.step(pcm(sent), heard)
        if step in asks or step > 150:
            assert echo.likely() == plain.likely()


def test_it_guesses_while_the_microphone_is_cut_off() -> None:
    leak, echo, bot = Loudspeaker(20, 160), EchoGuess(), at_level(clip("0870"), BOT_DB)
    guesses: list[bool] = []
    for step in range(300):
        sent = bot[step * CHUNK : step * CHUNK + CHUNK]
        heard = leak.play(sent)
        echo.bot(pcm(sent), RATE_HZ, now_ms=20 * step + 20)
        if step < 180:
            echo.caller(pcm(heard), RATE_HZ, now_ms=20 * step + 20)
        guesses.append(echo.likely())
    assert guesses[179]
    assert not guesses[-1]


@given(
    st.integers(0, 400), st.integers(1, 4), st.sampled_from([8_000, 16_000, 24_000]), st.randoms()
)
def test_pieces_are_measured_each_as_if_alone(
    count: int, pieces: int, rate_hz: int, random: Random
) -> None:
    audio = [random.randbytes(2 * count) for _ in range(pieces)]
    alone = [bands(piece, rate_hz)[0] for piece in audio]
    assert bands(b"".join(audio), rate_hz, pieces=pieces) == pytest.approx(np.array(alone))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 500)), max_size=60))
def test_it_takes_audio_at_any_time(steps: list[tuple[bool, int]]) -> None:
    echo, now_ms = EchoGuess(), 0
    for is_bot, later_ms in steps:
        now_ms += later_ms
        (echo.bot if is_bot else echo.caller)(bytes(640), RATE_HZ, now_ms=now_ms)
        assert not echo.likely()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_it_is_the_same_whether_sound_comes_in_packets_or_some_at_once(sizes: list[int]) -> None:
    sound = np.random.default_rng(1).normal(0, 3000, CHUNK * sum(sizes)).astype("<i2")
    single, joined = EchoGuess(), EchoGuess()
    step = 0
    for size in sizes:
        for _ in range(size):
            piece = sound[step * CHUNK : (step + 1) * CHUNK].tobytes()
            step += 1
            single.caller(piece, RATE_HZ, now_ms=step * 20.0)
        together = sound[(step - size) * CHUNK : step * CHUNK].tobytes()
        joined.caller(together, RATE_HZ, now_ms=step * 20.0)
    assert np.array_equal(heard(single), heard(joined))


def heard(guess: EchoGuess) -> NDArray[np.float64]:
    return guess._caller.until(guess._caller.end, 10)  # pyright: ignore[reportPrivateUsage]
