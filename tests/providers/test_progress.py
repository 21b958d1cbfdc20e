from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.progress import BarReporter, LineReporter, Tally, reporter

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_pieces_of_unknown_size_count_as_equal_shares() -> None:
    tally = Tally(300, 3)
    assert tally.moved(0, 10, None) == (10, 300)
    assert tally.moved(0, 20, 80) == (20, 280)
    assert tally.finished(0) == (80, 280)


def test_beginning_anew_takes_progress_back() -> None:
    tally = Tally(100, 1)
    tally.moved(0, 90, 100)
    assert tally.moved(0, 0, 100) == (0, 100)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 1000), st.one_of(st.none(), st.integers(0, 1000))
        )
    )
)
def test_there_is_never_more_done_than_expected(moves: list[tuple[int, int, int | None]]) -> None:
    tally = Tally(1000, 4)
    for piece, done_bytes, total_bytes in moves:
        done, expected = tally.moved(piece, done_bytes, total_bytes)
        assert 0 <= done <= expected


def test_lines_come_now_and_then() -> None:
    out = io.StringIO()
    with LineReporter(out, every_secs=1000) as lines:
        lines.say("hello")
        lines.moved("tiny", 1_000_000, 2_000_000)
    assert out.getvalue() == "hello\n"


def test_a_line_says_how_far_it_is() -> None:
    out = io.StringIO()
    with LineReporter(out, every_secs=0) as lines:
        lines.moved("tiny", 1_000_000, 2_000_000)
    assert out.getvalue() == "tiny: 1 of 2 MB\n"


@pytest.mark.parametrize(
    ("env", "kind"),
    [({}, BarReporter), ({"CI": "true"}, LineReporter), ({"TERM": "dumb"}, LineReporter)],
)
def test_bars_are_for_terminals(
    env: dict[str, str], kind: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(reporter(env), kind)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(reporter(env), LineReporter)


def test_bars_show_the_work_and_leave_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with BarReporter() as bars:
        bars.moved("tiny [model]", 1_000_000, 2_000_000)
        bars.moved("tiny [model]", 2_000_000, 2_000_000)
        bars.say("tiny [model]: done")
    assert "tiny [model]: done" in terminal.getvalue()


def test_bars_that_are_not_shown_say_nothing() -> None:
    bars = BarReporter()
    bars.say("hello")
    bars.moved("tiny", 1, 2)
