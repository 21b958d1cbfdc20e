"""What libraries log of a caller's words or number is taken out; what an operator needs stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import TranscriptionFrame, TTSSpeakFrame
from pydantic import BaseModel, ValidationError

from records.discreet import without_words

pytestmark = pytest.mark.unit

WORDS = "my name is Ada and I need a root canal"


@pytest.mark.parametrize(
    "line",
    [
        f"CartesiaTTSService#0: service is no longer usable, not speaking [{WORDS}]",
        f"GroqLLMService#0: Failed to parse function call arguments: {WORDS}",
        f"TTS#0 Dropping word '{WORDS}' not recognised by any slot.",
        f"TTS#0 force-complete: raw_remaining '{WORDS}' does not contain remaining_text",
        f"Error parsing JSON message {WORDS}, Expecting value: line 1",
        f"Received non-JSON message: {WORDS}",
        f"Invalid JSON message: {WORDS}",
        f"Ignoring not RTVI message: {WORDS}",
        f"Exception processing message: {WORDS}",
        f"DailyTransport#0 dial-in error: {WORDS}",
        f"400 {{'error': {{'failed_generation': '{WORDS}'}}}}",
        f"LLM#0: exception processing {TTSSpeakFrame(WORDS)}: boom",
        f"Something went wrong: {TranscriptionFrame(WORDS, 'u', 'now')}",
        "calling +1 (555) 123-4567 failed",
        "from='+15551234567'",
    ],
)
def test_words_and_numbers_go(line: str) -> None:
    said = without_words(line)
    assert not {"Ada", "root", "123-4567", "5551234567"} & set(
        said.replace("'", " ").replace(",", " ").split()
    )
    assert said[:3] == line[:3]


def test_what_pydantic_refuses_is_not_quoted() -> None:
    class Booking(BaseModel):
        day: int

    with pytest.raises(ValidationError) as refused:
        Booking.model_validate({"day": WORDS})
    said = without_words(str(refused.value))
    assert "Ada" not in said
    assert "unable to parse string as an integer" in said


@pytest.mark.parametrize(
    "line",
    [
        "call ended: caller_hung_up",
        "401 Unauthorized: invalid api key",
        "2026-11-21T13:51:15.092+00:00 the sidecar piper exited with 1; starting it again",
        "listening on 127.0.0.1:7860, 1234567890 bytes",
    ],
)
def test_what_an_operator_needs_stays(line: str) -> None:
    assert without_words(line) == line


@given(st.text())
def test_looking_twice_finds_nothing_more(line: str) -> None:
    assert without_words(without_words(line)) == without_words(line)
