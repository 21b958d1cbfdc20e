"""What Deepgram's simulated sockets refuse."""

from __future__ import annotations

import pytest

from evals.simulators._deepgram import not_audio, not_between

pytestmark = pytest.mark.unit


def test_audio_must_be_what_is_sent() -> None:
    good = {"encoding": "linear16", "sample_rate": "16000"}
    assert not_audio(good) == ""
    assert "encoding" in not_audio({"sample_rate": "16000"})
    for rate in ("", "7999", "48001", "fast", "-16000"):
        assert "sample_rate" in not_audio(good | {"sample_rate": rate})


@pytest.mark.parametrize(
    ("query", "fine"),
    [
        pytest.param({}, True, id="absent"),
        pytest.param({"x": "1"}, True, id="lowest"),
        pytest.param({"x": "2.5"}, True, id="highest"),
        pytest.param({"x": "2.6"}, False, id="above"),
        pytest.param({"x": "0"}, False, id="below"),
        pytest.param({"x": "much"}, False, id="word"),
    ],
)
def test_a_number_must_be_in_its_range(query: dict[str, str], *, fine: bool) -> None:
    assert (not_between(query, "x", (1, 2.5)) == "") is fine
