"""When a line that is open counts as dead."""

from __future__ import annotations

import pytest

from providers.stt._line_watch import LineWatch

pytestmark = pytest.mark.unit


def test_a_line_dies_once_and_every_answer_keeps_it_alive() -> None:
    watch = LineWatch(limit_secs=2.0)
    assert [watch.sent(0.5) for _ in range(3)] == [False] * 3
    watch.heard()
    assert [watch.sent(0.5) for _ in range(6)] == [False, False, False, True, False, False]
