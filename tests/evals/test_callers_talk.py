"""When a caller speaks, and what it takes for an answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.callers_talk import NO_ANSWER_SECS, PACKET_SECS, Clip, Talker
from evals.density_ear import BotEar

pytestmark = pytest.mark.unit

SILENCE = b"-"
CLIPS = (Clip((b"a", b"b", b"c"), padding_secs=0.01), Clip((b"x", b"y")))
RATE_HZ = 16_000


class Call:
    """A talker, and a bot that can be told to speak."""

    def __init__(self) -> None:
        self.ear = BotEar()
        self.talker = Talker(CLIPS, SILENCE, self.ear)
        self.now_secs = 0.0
        self.sent: list[bytes] = []

    def run(self, secs: float, *, bot: bool = False) -> None:
        for _ in range(round(secs / PACKET_SECS)):
            self.now_secs += PACKET_SECS
            if bot:
                samples = np.full(320, 2000, np.int16)
                self.ear.hear(samples, at_secs=self.now_secs, rate_hz=RATE_HZ)
            self.sent.append(self.talker.packet(self.now_secs))

    @property
    def said(self) -> bytes:
        return b"".join(packet for packet in self.sent if packet != SILENCE)


def test_the_greeting_is_heard_to_its_end_and_each_answer_too() -> None:
    call = Call()
    call.run(1.0, bot=True)
    assert call.said == b""
    call.run(0.8)
    assert call.said == b"abc"
    call.run(0.5)
    call.run(1.0, bot=True)
    assert call.said == b"abc", "nobody speaks over the bot"
    call.run(0.8)
    assert call.said == b"abcxy"


def test_an_answer_is_timed_from_the_last_speech_sample() -> None:
    call = Call()
    call.run(0.2, bot=True)
    call.run(0.7)
    [asked] = call.talker.asked
    call.run(1.0 - (call.now_secs - asked.end_secs))
    call.run(0.1, bot=True)
    assert asked.ear_ms == pytest.approx(1000, abs=40)
    assert not asked.cut_in


def test_a_bot_that_speaks_into_a_turn_has_cut_in() -> None:
    call = Call()
    call.run(0.2, bot=True)
    while not call.said:
        call.run(PACKET_SECS)
    call.run(0.2, bot=True)
    [asked] = call.talker.asked
    assert asked.cut_in
    assert asked.ear_ms is None


def test_who_gets_no_answer_goes_on() -> None:
    call = Call()
    call.run(0.2, bot=True)
    call.run(1.0 + NO_ANSWER_SECS)
    assert call.said == b"abcxy"
    assert call.talker.asked[0].given_up
    assert call.talker.asked[0].ear_ms is None


@given(st.lists(st.tuples(st.floats(0.02, 3), st.booleans()), max_size=30))
def test_clips_are_said_whole_and_in_turn(parts: list[tuple[float, bool]]) -> None:
    call = Call()
    for secs, bot in parts:
        call.run(secs, bot=bot)
    assert (b"abcxy" * 100).startswith(call.said)
    ends = [asked.end_secs for asked in call.talker.asked]
    assert ends == sorted(ends)
    times = [asked.ear_ms for asked in call.talker.asked if asked.ear_ms is not None]
    assert all(ms >= 0 for ms in times)
