"""Whatever comes in whatever order: slots are never given twice, never lost, and nobody passes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from errors import FullError
from hosts.desk import RETRY_SECS, BotCapError, BusyError, Caps, Desk, Grant, KeyCapError, Wish
from hosts.quality import BAD_SECS, GOOD_SECS, START_SECS

pytestmark = pytest.mark.unit

SLOTS, PLACES = 6, 3
CAPS = Caps(per_key=4, per_bot={"receptionist": 3})


def _wish(cost: int = 1, key: str | None = None, bot: str = "interviewer") -> Wish:
    return Wish(cost, key, bot)


def _retry_secs(error: FullError) -> int:
    return int(error.headers["Retry-After"])


def _shut(desk: Desk) -> float:
    """Let the calls be served badly for long enough; the time then."""
    desk.door.feed("call", lag_p99_ms=1.0, late_frames=0, now_secs=0.0)
    for bad_secs in (0.0, BAD_SECS / 2, BAD_SECS):
        now_secs = START_SECS + bad_secs
        desk.door.feed("call", lag_p99_ms=1.0, late_frames=3, now_secs=now_secs)
    return START_SECS + BAD_SECS


def test_a_key_has_so_many_calls_and_another_key_as_many() -> None:
    desk = Desk(100, caps=Caps(per_key=2))
    for _ in range(2):
        desk.take(_wish(key="a"), 0.0)
    with pytest.raises(KeyCapError) as caught:
        desk.take(_wish(key="a"), 0.0)
    assert (caught.value.code, caught.value.status) == ("key_cap", 429)
    desk.take(_wish(key="b"), 0.0)
    for _ in range(5):
        desk.take(_wish(key=None), 0.0)


def test_a_bot_has_so_many_calls_and_one_without_a_cap_any() -> None:
    desk = Desk(100, caps=Caps(per_bot={"receptionist": 1}))
    grant = desk.take(_wish(bot="receptionist"), 0.0)
    with pytest.raises(BotCapError) as caught:
        desk.take(_wish(bot="receptionist"), 0.0)
    assert caught.value.code == "bot_cap"
    desk.take(_wish(bot="interviewer"), 0.0)
    desk.give_back(grant, 1.0)
    desk.take(_wish(bot="receptionist"), 1.0)


def test_who_waits_counts_for_the_caps() -> None:
    desk = Desk(1, caps=Caps(per_key=2), places=5)
    desk.take(_wish(key="a"), 0.0)
    desk.line_up(_wish(key="a"))
    with pytest.raises(KeyCapError):
        desk.line_up(_wish(key="a"))


def test_badly_served_calls_keep_others_out_and_say_for_how_long() -> None:
    desk = Desk(100)
    grant = desk.take(_wish(), 0.0)
    now_secs = _shut(desk)
    with pytest.raises(BusyError) as caught:
        desk.take(_wish(), now_secs)
    assert caught.value.code == "busy_quality"
    assert _retry_secs(caught.value) == GOOD_SECS
    desk.give_back(grant, now_secs)
    desk.take(_wish(50), now_secs)


def test_a_dear_call_at_the_head_is_passed_by_nobody() -> None:
    desk = Desk(4, places=5)
    first = desk.take(_wish(3), 0.0)
    dear, cheap = _wish(4), _wish(1)
    desk.line_up(dear)
    desk.line_up(cheap)
    assert desk.seat(0.0) == []
    with pytest.raises(FullError):
        desk.take(_wish(1), 0.0)
    desk.give_back(first, 1.0)
    (seated,) = desk.seat(1.0)
    assert seated.wish is dear
    desk.give_back(seated, 2.0)
    assert [grant.wish for grant in desk.seat(2.0)] == [cheap]


def test_when_to_try_again_follows_from_how_long_calls_last() -> None:
    desk = Desk(2)

    def refused() -> int:
        with pytest.raises(FullError) as caught:
            desk.take(_wish(), 1000.0)
        return _retry_secs(caught.value)

    grants = [desk.take(_wish(), 0.0) for _ in range(2)]
    assert refused() == RETRY_SECS
    for length_secs, told_secs in ((60.0, 30), (0.0, 24), (1e6, 120)):
        desk.give_back(grants.pop(), length_secs)
        grants.append(desk.take(_wish(), 0.0))
        assert refused() == told_secs


class Desks(RuleBasedStateMachine):
    """All that can be done with a desk, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(SLOTS, caps=CAPS, places=PLACES)
        self.now_secs = 0.0
        self.live: list[Grant] = []
        self.over: list[Grant] = []
        self.line: list[Wish] = []

    @rule(
        cost=st.integers(1, 8),
        key=st.sampled_from((None, "a", "b")),
        bot=st.sampled_from(("receptionist", "interviewer")),
        patient=st.booleans(),
    )
    def come(self, *, cost: int, key: str | None, bot: str, patient: bool) -> None:
        wish = Wish(cost, key, bot)
        try:
            self.live.append(self.desk.take(wish, self.now_secs))
        except FullError as refusal:
            assert 1 <= _retry_secs(refusal) <= 120
            assert self.live or self.line
            if patient:
                with suppress(FullError):
                    self.desk.line_up(wish)
                    self.line.append(wish)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        grant = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        self.over.append(grant)
        self.desk.give_back(grant, self.now_secs)
        self.seat()

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def end_again(self, data: st.DataObject) -> None:
        self.desk.give_back(data.draw(st.sampled_from(self.over)), self.now_secs)

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        wish = self.line.pop(data.draw(st.integers(0, len(self.line) - 1)))
        self.desk.leave(wish)
        self.desk.leave(wish)
        self.seat()

    @rule(name=st.sampled_from("xyz"), lag_ms=st.sampled_from((1.0, 90.0)), late=st.integers(0, 1))
    def pulse(self, name: str, lag_ms: float, late: int) -> None:
        self.desk.door.feed(name, lag_p99_ms=lag_ms, late_frames=late, now_secs=self.now_secs)
        self.seat()

    @rule(name=st.sampled_from("xyz"))
    def forget(self, name: str) -> None:
        self.desk.door.forget(name, self.now_secs)
        self.seat()

    @rule(secs=st.floats(0, 10))
    def go_on(self, secs: float) -> None:
        self.now_secs += secs
        self.seat()

    def seat(self) -> None:
        seated = self.desk.seat(self.now_secs)
        assert [grant.wish for grant in seated] == self.line[: len(seated)]
        del self.line[: len(seated)]
        self.live += seated

    @invariant()
    def slots_are_conserved(self) -> None:
        assert self.desk.taken == sum(grant.wish.cost for grant in self.live)
        assert self.desk.taken <= SLOTS or len(self.live) == 1

    @invariant()
    def caps_hold(self) -> None:
        wishes = [*(grant.wish for grant in self.live), *self.line]
        assert sum(wish.bot == "receptionist" for wish in wishes) <= 3
        assert all(sum(wish.key == key for wish in wishes) <= 4 for key in ("a", "b"))

    @invariant()
    def the_line_is_bounded_and_waits_for_a_reason(self) -> None:
        assert self.desk.waiting == len(self.line) <= PLACES
        if self.line:
            assert self.live
            room = SLOTS - self.desk.taken
            assert self.line[0].cost > room or self.desk.door.shut(self.now_secs)


TestDesks = Desks.TestCase
