"""Which words were heard and which were cut, of each kind of voice, through a real output."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import pytest
from pipecat.frames.frames import InterruptionFrame, TTSAudioRawFrame
from pipecat.observers.base_observer import BaseObserver, FramePushed

from evals.simulators.behaviour import Behaviour, Voice
from evals.simulators.vendors import Vendors
from pipelines.headless import HeadlessTransport
from processors.spoken import SpokenObserver
from providers.kinds import TtsConfig
from providers.tts.cartesia import CartesiaTts
from providers.tts.deepgram import DeepgramTts
from providers.tts.elevenlabs import ElevenLabsTts
from providers.tts.opentts import OpenTtsTts
from tests.support.pipes import Tap
from tests.support.speaking import OUT_HZ, Speaking, speaking

pytestmark = pytest.mark.integration

TEXT = (
    "The first visit is free for everybody, and a check-up costs $80 in all. "
    "We are open from nine to five on Monday. Shall I book it for you?"
)
CHAR_MS = 40

VOICES: dict[str, Callable[[str], TtsConfig]] = {
    "cartesia": lambda _: CartesiaTts(),
    "elevenlabs": lambda _: ElevenLabsTts(),
    "deepgram": lambda _: DeepgramTts(),
    "opentts": lambda url: OpenTtsTts(base_url=f"{url}/opentts"),
}


class _Spoken(BaseObserver):
    """Hands each frame on, as the call's own observer does; notes what was heard until then."""

    def __init__(self, spoken: SpokenObserver) -> None:
        super().__init__()
        self._spoken = spoken
        self.taken: list[tuple[str, str]] = []

    async def on_push_frame(self, data: FramePushed) -> None:
        self._spoken.see(data)
        if isinstance(data.frame, InterruptionFrame) and data.first_push:
            self.taken.append(self._spoken.take())


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors(Behaviour(voice=Voice(char_ms=CHAR_MS))) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


def played_secs(voice: Speaking) -> float:
    frames = voice.flow.tap.of(TTSAudioRawFrame)
    return sum(len(frame.audio) for frame in frames) / 2 / OUT_HZ


async def cut_after(secs: float, config: TtsConfig) -> tuple[str, str, float]:
    """The words heard, the words cut, and how much had been played."""
    output, tap = HeadlessTransport().output(), Tap()
    async with speaking(config, output, tap) as voice:
        observer = _Spoken(SpokenObserver(voice.voice, output))
        voice.flow.worker.add_observer(observer)
        await voice.reply(TEXT)
        while played_secs(voice) < secs:
            await tap.wait(TTSAudioRawFrame, len(tap.of(TTSAudioRawFrame)) + 1)
        at_secs = played_secs(voice)
        await voice.flow.send(InterruptionFrame())
        await tap.wait(InterruptionFrame)
    ((heard, cut),) = observer.taken
    return heard, cut, at_secs


@pytest.mark.parametrize("provider", VOICES)
@pytest.mark.parametrize("secs", [0.8, 3.0])
async def test_what_was_heard_and_what_was_cut(
    vendors: Vendors, provider: str, secs: float
) -> None:
    heard, cut, at_secs = await cut_after(secs, VOICES[provider](vendors.url))
    words = f"{heard} {cut}".split()
    # A request at a time: what OpenTTS was not asked for yet is not counted as cut.
    asked = len(words) if provider == "opentts" else len(TEXT.split())
    assert words == TEXT.split()[:asked]
    # "$80" is longer to the ear than to the eye; two words are a second's half.
    letters = at_secs * 1000 / CHAR_MS
    assert abs(len(heard) - letters) < 20, (heard, letters)
