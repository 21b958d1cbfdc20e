"""A greeting is made once, kept whole or not at all, and never for another voice."""

from __future__ import annotations

import asyncio
import multiprocessing
import stat
from collections.abc import AsyncGenerator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.services.tts_service import TTSService

import bots.greeting as greetings
from bots.bot import load_bot
from bots.greeting import AGAIN_SECS, Greeting, Greetings, alone, decode, encode
from bots.plan import CallPlan, plan_call
from errors import MissingError
from evals.simulators.behaviour import Behaviour, Fault, Latency, Voice
from evals.simulators.vendors import Vendors
from processors.phrases import Clip, Marks
from providers.kinds import TtsConfig
from providers.tts.cartesia import CartesiaTts
from providers.tts.deepgram import DeepgramTts
from providers.tts.elevenlabs import ElevenLabsTts
from providers.tts.openai_compatible import OpenAiCompatibleTts
from providers.tts.simulated import SimulatedTts
from tests.support.speaking import Here

pytestmark = pytest.mark.integration

RATE_HZ = 24_000
CHAR_MS = 20
TEXT = "Hello, this is the practice. What can I do for you?"
SERVICES = {
    "cartesia": "cartesia",
    "deepgram": "deepgram-speak",
    "elevenlabs": "elevenlabs",
    "openai_compatible": "openai-speech",
}
VOICE = Voice(ttfb=Latency(p50_ms=20), char_ms=CHAR_MS, speed=20)


_gate: Barrier


async def _at_once() -> None:
    """Nobody needs the voice."""


def _clip(length: int = 2400, marks: Marks = (), text: str = TEXT) -> Clip:
    samples = (np.arange(length) % 200 * 100).astype(np.int16)
    return Clip(text, samples, RATE_HZ, marks=marks)


def _plan(**overrides: object) -> CallPlan:
    plan = plan_call(bot="receptionist", pipeline="simulated")
    settings = plan.bot.settings.model_copy(update={"greeting": TEXT})
    bot = plan.bot.model_copy(update={"settings": settings})
    tts = SimulatedTts.model_validate({"ttfb_ms": 10, "char_ms": CHAR_MS} | overrides)
    return replace(plan, bot=bot, config=plan.config.model_copy(update={"tts": tts}))


def _greeting(plan: CallPlan, kept: Greetings) -> Greeting:
    greeting = Greeting.of(plan, Here(), kept)
    assert greeting is not None
    return greeting


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    for name in ("CARTESIA", "DEEPGRAM", "ELEVENLABS", "OPENAI"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-planted-0123456789")
    async with Vendors(Behaviour(voice=VOICE)) as vendors:
        yield vendors


VOICES = ("cartesia", "deepgram", "elevenlabs", "openai", "simulated")
"""The last has no line that could break."""


@pytest.fixture(params=VOICES)
def config(request: pytest.FixtureRequest, vendors: Vendors) -> TtsConfig:
    url, socket = vendors.url, vendors.url.replace("http", "ws")
    configs: dict[str, TtsConfig] = {
        "cartesia": CartesiaTts(base_url=f"{socket}/cartesia"),
        "deepgram": DeepgramTts(base_url=f"{socket}/deepgram"),
        "elevenlabs": ElevenLabsTts(base_url=f"{socket}/elevenlabs"),
        "openai": OpenAiCompatibleTts(base_url=f"{url}/openai/v1", key_env="OPENAI_API_KEY"),
        "simulated": SimulatedTts(char_ms=CHAR_MS),
    }
    return configs[request.param]


async def test_every_kind_of_voice_makes_it_once_for_all_calls(
    config: TtsConfig, tmp_path: Path
) -> None:
    built = 0

    def build() -> TTSService:
        nonlocal built
        built += 1
        return config.build(Here())

    greeting = Greeting(TEXT, config.model_dump_json(), build, Greetings(tmp_path))
    assert await greeting.find(RATE_HZ) is None
    made = await greeting.make(RATE_HZ, _at_once)
    found = await greeting.find(RATE_HZ)

    assert made is not None
    assert found is not None
    assert built == 1
    assert made.usage
    assert not found.usage
    assert (found.text, found.rate_hz, found.marks) == (TEXT, RATE_HZ, made.marks)
    assert np.array_equal(found.samples, made.samples)
    assert made.ms == pytest.approx(len(TEXT) * CHAR_MS, rel=0.25)
    assert bool(made.marks) == (config.provider in ("cartesia", "elevenlabs"))
    if made.marks:
        assert made.marks[-1][1] == len(TEXT)
        # Each word at about its place in the sound, which has the same length for each letter.
        for at_ms, end in made.marks:
            begin = TEXT.rfind(" ", 0, end - 1) + 1
            assert at_ms == pytest.approx(made.ms * begin / len(TEXT), abs=150)


@pytest.mark.parametrize("config", [it for it in VOICES if it != "simulated"], indirect=True)
@pytest.mark.parametrize("kind", ["stall", "close"])
async def test_a_voice_that_breaks_off_makes_none(
    vendors: Vendors, tmp_path: Path, config: TtsConfig, kind: Any
) -> None:
    service = SERVICES[config.provider]
    fault = Fault(kind=kind, after=2, times=None)
    vendors.desk.behave(Behaviour(voice=VOICE, faults={service: (fault,)}))
    greeting = Greeting(TEXT * 8, "x", lambda: config.build(Here()), Greetings(tmp_path / "kept"))

    assert await greeting.make(RATE_HZ, _at_once) is None
    assert _kept(tmp_path / "kept") == []


async def test_a_voice_that_cannot_be_built_makes_none(tmp_path: Path) -> None:
    def build() -> TTSService:
        raise MissingError("There are no weights.")

    greeting = Greeting(TEXT, "x", build, Greetings(tmp_path))
    assert await greeting.make(RATE_HZ, _at_once) is None


async def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    greeting = _greeting(_plan(), Greetings(file / "greetings"))
    assert await greeting.find(RATE_HZ) is None
    assert await greeting.make(RATE_HZ, _at_once) is None


async def test_several_first_calls_make_it_once(tmp_path: Path) -> None:
    """Each in a process of its own, and each with its turn at the same moment."""
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(4)
    with ProcessPoolExecutor(4, spawn, _wait_at, (gate,)) as pool:
        loop = asyncio.get_running_loop()
        making = [loop.run_in_executor(pool, _make_in_process, tmp_path) for _ in range(4)]
        assert sum(await asyncio.gather(*making)) == 1
    assert len(_kept(tmp_path)) == 1
    assert await _greeting(_plan(), Greetings(tmp_path)).find(RATE_HZ) is not None


async def test_who_comes_second_does_not_wait(tmp_path: Path) -> None:
    busy, go = asyncio.Event(), asyncio.Event()

    async def hold(first: Greeting) -> Clip | None:
        with alone(_lock(first)) as note:
            assert note is not None
            busy.set()
            await go.wait()
        return None

    greeting = _greeting(_plan(), Greetings(tmp_path))
    holding = asyncio.ensure_future(hold(greeting))
    await busy.wait()
    assert await greeting.make(RATE_HZ, _at_once) is None
    go.set()
    await holding
    assert await greeting.make(RATE_HZ, _at_once) is not None
    # Nothing is left of the lock.
    assert [path.suffix for path in _all(tmp_path)] == [".wav"]


async def test_a_failure_is_not_paid_for_again_soon(tmp_path: Path) -> None:
    tries = 0

    def build() -> TTSService:
        nonlocal tries
        tries += 1
        raise MissingError("There are no weights.")

    greeting = Greeting(TEXT, "x", build, Greetings(tmp_path))
    for _ in range(2):
        assert await greeting.make(RATE_HZ, _at_once) is None
    assert tries == 1
    _aged(_lock(greeting), round(AGAIN_SECS) + 1)
    assert await greeting.make(RATE_HZ, _at_once) is None
    assert tries == 2


async def test_who_is_called_away_leaves_it_to_the_next(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def soon() -> None:
        if begun.is_set():
            await asyncio.Event().wait()
        begun.set()

    greeting = _greeting(_plan(), Greetings(tmp_path))
    making = asyncio.ensure_future(greeting.make(RATE_HZ, soon))
    while not _all(tmp_path):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)
    making.cancel()
    await asyncio.wait({making})
    assert await greeting.make(RATE_HZ, _at_once) is not None


async def test_a_voice_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greetings, "_GIVE_UP_SECS", 0.01)
    greeting = _greeting(_plan(ttfb_ms=2000), Greetings(tmp_path))
    for _ in range(2):
        assert await greeting.make(RATE_HZ, _at_once) is None
    assert _kept(tmp_path) == []


def test_it_is_another_one_for_another_text_voice_rate_or_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, plan = Greetings(tmp_path), _plan()
    settings = plan.bot.settings
    others = [
        replace(plan, bot=plan.bot.model_copy(update={"settings": settings.model_copy(update=it)}))
        for it in ({"greeting": "Hi."}, {"language": "de"})
    ]
    keys = [_greeting(it, kept).key(RATE_HZ) for it in (plan, *others, _plan(pitch_hz=300))]
    keys.append(_greeting(plan, kept).key(16_000))
    monkeypatch.setenv("OFFHOOK_VENDORS", "http://127.0.0.1:1")
    keys.append(_greeting(plan, kept).key(RATE_HZ))
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 for key in keys)
    monkeypatch.delenv("OFFHOOK_VENDORS")
    assert _greeting(_plan(), kept).key(RATE_HZ) == keys[0]


def test_a_bot_that_says_nothing_has_none(tmp_path: Path) -> None:
    plan = _plan()
    settings = load_bot("receptionist").settings.model_copy(update={"greeting": " \N{BULLET} "})
    silent = replace(plan, bot=plan.bot.model_copy(update={"settings": settings}))
    assert Greeting.of(silent, Here(), Greetings(tmp_path)) is None


def test_only_the_server_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cache" / "greetings"
    Greetings(folder).put("a", _clip())
    assert stat.S_IMODE((folder / "a.wav").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["a.wav"]


def test_no_more_is_kept_than_may_be_and_the_one_used_longest_ago_goes(tmp_path: Path) -> None:
    kept = Greetings(tmp_path, files=3)
    for number, key in enumerate("abc"):
        kept.put(key, _clip())
        _aged(tmp_path / f"{key}.wav", 1000 - number)
    assert kept.get("a") is not None
    kept.put("d", _clip())
    assert kept.get("b") is None
    assert all(kept.get(key) for key in "acd")
    size = (tmp_path / "a.wav").stat().st_size
    Greetings(tmp_path, total_bytes=2 * size).put("e", _clip())
    assert len(list(tmp_path.iterdir())) == 2


def test_what_was_not_finished_is_taken_away_in_time(tmp_path: Path) -> None:
    old, new = tmp_path / ".making-old", tmp_path / ".making-new"
    for path in (old, new):
        path.write_bytes(b"RIFF")
    _aged(old, 7200)
    Greetings(tmp_path).put("a", _clip())
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\0" * 9_000_000, b"hello " * 100])
def test_what_is_no_greeting_is_thrown_away(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert Greetings(tmp_path).get("a") is None
    assert not path.exists()


async def test_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    greeting = _greeting(_plan(), Greetings(tmp_path))
    assert await greeting.make(RATE_HZ, _at_once) is not None
    (path,) = _all(tmp_path)
    content = bytearray(await asyncio.to_thread(path.read_bytes))
    content[1000] ^= 1
    await asyncio.to_thread(path.write_bytes, content)
    assert await greeting.find(RATE_HZ) is None
    assert await greeting.make(RATE_HZ, _at_once) is not None
    assert await greeting.find(RATE_HZ) is not None


def test_other_readers_take_it_for_a_recording(tmp_path: Path) -> None:
    import wave

    Greetings(tmp_path).put("a", _clip(2401, ((10.0, 5), (20.0, 9))))
    with wave.open(str(tmp_path / "a.wav")) as file:
        shape = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
    assert shape == (1, 2, RATE_HZ, 2401)


_ends = st.lists(st.integers(1, len(TEXT)), unique=True, max_size=8).map(sorted)


@given(st.integers(1, 500), _ends, st.lists(st.floats(0, 1e5), min_size=8, max_size=8).map(sorted))
def test_what_is_written_is_read(length: int, ends: list[int], times: list[float]) -> None:
    clip = _clip(length, tuple(zip(times, ends, strict=False)))
    read = decode(encode(clip))
    assert (read.text, read.rate_hz, read.marks) == (clip.text, clip.rate_hz, clip.marks)
    assert np.array_equal(read.samples, clip.samples)


@given(st.integers(0, 399), st.binary(max_size=20), st.integers(0, 20))
def test_no_file_whatever_is_in_it_is_more_than_thrown_away(
    at: int, patch: bytes, cut: int
) -> None:
    file = encode(_clip(100, ((10.0, 5), (20.0, 9))))
    damaged = file[:at] + patch + file[at + cut :]
    try:
        read = decode(damaged)
    except ValueError:
        return
    assert len(read.samples) > 0
    assert all(0 <= at_ms < 1e7 and 0 < end <= len(read.text) for at_ms, end in read.marks)


def _all(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.exists() else []


def _kept(folder: Path) -> list[Path]:
    return [path for path in _all(folder) if path.suffix == ".wav"]


def _lock(greeting: Greeting) -> Path:
    return greeting.kept.folder / f".making-{greeting.key(RATE_HZ)}"


def _wait_at(gate: Barrier) -> None:
    global _gate
    _gate = gate


def _make_in_process(folder: Path) -> int:
    """How many voices were built here."""
    greeting, built, came = _greeting(_plan(), Greetings(folder)), 0, False

    def build() -> TTSService:
        nonlocal built
        built += 1
        return greeting.build()

    async def together() -> None:
        nonlocal came
        if not came:
            came = True
            await asyncio.to_thread(_gate.wait, 60)

    asyncio.run(replace(greeting, build=build).make(RATE_HZ, together))
    return built


def _aged(path: Path, secs: int) -> None:
    import os

    state = path.stat()
    os.utime(path, (state.st_mtime - secs, state.st_mtime - secs))
