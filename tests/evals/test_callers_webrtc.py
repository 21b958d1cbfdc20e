"""What a WebRTC caller sends, and when it is over."""

from __future__ import annotations

import pytest

from evals.callers_talk import PACKET_SECS
from evals.callers_webrtc import opus_speech, spoken_ms
from evals.latency_cells import FINAL_MS
from evals.latency_turns import RATE_HZ, Saying, sayings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def said() -> list[Saying]:
    return [saying for saying in sayings(6, pause_ms=FINAL_MS) if not saying.pauses]


def test_a_turn_ends_where_its_speech_does(said: list[Saying]) -> None:
    for saying in said:
        assert spoken_ms(saying.audio) == len(saying.audio) // 2 * 1000 // RATE_HZ


def test_opus_moves_the_end_a_little_and_a_turn_is_timed_from_there(said: list[Saying]) -> None:
    for saying, clip in zip(said, opus_speech(said).clips, strict=True):
        sent_secs = len(clip.packets) * PACKET_SECS
        moved_ms = (sent_secs - clip.padding_secs) * 1000 - spoken_ms(saying.audio)
        assert -100 <= moved_ms <= 10
        assert clip.padding_secs > 0
