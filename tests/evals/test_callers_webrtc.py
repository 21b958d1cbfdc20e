"""What a WebRTC caller sends, and when it is over."""

from __future__ import annotations

import pytest

from errors import MissingError
from evals.callers_talk import PACKET_SECS
from evals.callers_webrtc import heard_ends_ms, opus_speech, speech_end_ms
from evals.latency_cells import FINAL_MS
from evals.latency_turns import RATE_HZ, Saying, sayings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def said() -> list[Saying]:
    try:
        return [saying for saying in sayings(16, pause_ms=FINAL_MS) if not saying.pauses]
    except MissingError as error:
        pytest.skip(error.message)


def test_a_turn_ends_where_its_speech_does(said: list[Saying]) -> None:
    for saying in said:
        assert speech_end_ms(saying.audio) == len(saying.audio) // 2 * 1000 // RATE_HZ


def test_opus_moves_the_end_a_little_and_a_turn_is_timed_from_there(said: list[Saying]) -> None:
    for saying, clip in zip(said, opus_speech(said).clips, strict=True):
        end_ms = round((len(clip.packets) * PACKET_SECS - clip.padding_secs) * 1000)
        assert -100 <= end_ms - speech_end_ms(saying.audio) <= 30
        assert clip.padding_secs > 0


def test_a_turn_ends_in_the_middle_of_a_packet_whoever_decodes_it(said: list[Saying]) -> None:
    for clip in opus_speech(said).clips:
        end_ms = round((len(clip.packets) * PACKET_SECS - clip.padding_secs) * 1000)
        assert end_ms % 20 == 10
        assert heard_ends_ms(clip.packets)[:2] == [end_ms, end_ms]
