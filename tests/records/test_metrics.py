"""Calls are counted: each figure once, none of them a series of one call's own."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from records.events import (
    BargedIn,
    CallEnded,
    CallerJoined,
    CutIn,
    Failed,
    FalseStop,
    Filled,
    Part,
    Regret,
    ReplyStarted,
    Retried,
    ToolCalled,
    Turn,
    Used,
)
from records.levels import Levels
from records.metrics import ERROR_CODES, MAX_NAMES, NOBODY, OTHER
from tests.support.counting import Counted, Plan, Pulse, begun

pytestmark = pytest.mark.unit


@pytest.fixture
def counted() -> Counted:
    return Counted()


def turn(*, ear_ms: int | None = 900, over_ms: int = 0, filler_ms: int | None = None) -> Turn:
    return Turn(
        at_ms=9000,
        index=1,
        heard="My name is Ada",
        answered="Hello Ada.",
        ear_ms=ear_ms,
        parts=(
            Part(stage="stt", label="recognition", ms=300),
            Part(stage="llm", label="x", ms=600),
        ),
        filler_ms=filler_ms,
        answer_ms=None if ear_ms is None else 1500 if filler_ms else ear_ms,
        over_ms=over_ms,
        blame="llm" if over_ms else None,
        budget_ms=800,
        speculated=True,
    )


def test_a_call_is_counted_from_its_beginning_to_its_end(counted: Counted) -> None:
    plan = Plan()
    counted.metrics.started(plan)
    assert counted.value("calls_live") == 1
    counted.tell(begun(plan))
    labels = {"bot": "receptionist", "pipeline": "local"}
    assert counted.value("calls_started_total", **labels, transport="webrtc") == 1
    counted.metrics.ended(plan, "caller_hung_up", 42.0)
    assert counted.value("calls_live") == 0
    assert counted.value("calls_ended_total", **labels, reason="caller_hung_up") == 1
    assert counted.value("call_duration_seconds_sum", pipeline="local") == 42.0


@pytest.mark.parametrize(
    "sample",
    [
        ("offhook_calls_ended_total", "reason", "crashed"),
        ("offhook_late_answers_total", "stage", "llm"),
        ("offhook_regret_usd_total", "pipeline", "local"),
    ],
)
def test_what_may_happen_is_there_at_zero_while_a_call_goes(
    counted: Counted, sample: tuple[str, str, str]
) -> None:
    counted.metrics.started(Plan())
    name, label, value = sample
    found = [count for it, own, count in counted.samples() if it == name and own[label] == value]
    assert found == [0.0]


def test_each_provider_of_a_call_has_no_failures_before_its_first(counted: Counted) -> None:
    counted.metrics.started(Plan())
    found = {
        (own["provider"], own["code"]): count
        for name, own, count in counted.samples()
        if name == "offhook_provider_errors_total"
    }
    assert found == dict.fromkeys(product(("deepgram", "groq"), ERROR_CODES), 0.0)


def test_nobody_came_is_an_end_and_no_length(counted: Counted) -> None:
    counted.metrics.started(Plan())
    counted.metrics.ended(Plan(), "never_joined", 30.0)
    assert counted.value("calls_ended_total", reason="never_joined") == 1
    assert counted.value("calls_started_total") == 0
    assert counted.value("call_duration_seconds_count") == 0


def test_what_is_told_after_the_end_leaves_no_live_call(counted: Counted) -> None:
    counted.metrics.started(Plan())
    counted.metrics.ended(Plan(), "crashed", 3.0)
    counted.tell(turn(), CallEnded(at_ms=1, reason="crashed"))
    assert counted.value("calls_live") == 0
    assert counted.value("turns_total") == 1


def test_a_greeting_is_timed_from_the_callers_coming(counted: Counted) -> None:
    counted.metrics.started(Plan())
    counted.tell(CallerJoined(at_ms=1000), ReplyStarted(at_ms=1250), ReplyStarted(at_ms=9000))
    assert counted.value("greeting_seconds_count", pipeline="local") == 1
    assert counted.value("greeting_seconds_sum", pipeline="local") == 0.25


def test_a_turn_tells_where_its_time_went_and_who_was_late(counted: Counted) -> None:
    counted.tell(turn(), turn(over_ms=100), turn(ear_ms=None))
    assert counted.value("turns_total", pipeline="local", speculated="yes") == 3
    assert counted.value("ear_latency_seconds_count", pipeline="local") == 2
    assert counted.value("turn_part_seconds_sum", stage="llm") == pytest.approx(1.8)
    assert counted.value("late_answers_total", pipeline="local", stage="llm") == 1


def test_a_filler_shortens_the_wait_and_not_that_for_the_answer(counted: Counted) -> None:
    counted.tell(turn(filler_ms=900), Filled(at_ms=1, text="Let me see."))
    assert counted.value("ear_latency_seconds_sum") == 0.9
    assert counted.value("answer_latency_seconds_sum") == 1.5
    assert counted.value("fillers_total", pipeline="local") == 1


def test_what_else_happens_in_a_call_is_counted(counted: Counted) -> None:
    counted.tell(
        BargedIn(at_ms=1, stop_ms=400),
        CutIn(at_ms=2, caller_more_ms=300),
        FalseStop(at_ms=3, paused_ms=500, why="noise"),
        ToolCalled(at_ms=4, name="book", arguments={}, result=None, took_ms=120, ok=False),
        Failed(at_ms=5, code="rate_limit", message="slow down", provider="groq"),
        Failed(at_ms=6, code="brand-new", message="?"),
        Retried(at_ms=7, code="server", provider="groq"),
    )
    assert counted.value("barge_in_stop_seconds_sum") == 0.4
    assert counted.value("cut_ins_total", pipeline="local") == 1
    assert counted.value("false_stops_total", why="noise") == 1
    assert counted.value("tool_seconds_count", bot="receptionist", outcome="failed") == 1
    assert counted.value("provider_errors_total", provider="groq", code="rate_limit") == 1
    assert counted.value("provider_errors_total", provider=NOBODY, code=OTHER) == 1
    assert counted.value("provider_errors_total") == 2
    assert counted.value("provider_retries_total", provider="groq", code="server") == 1


Totals = st.tuples(*[st.integers(0, 50)] * 3, st.floats(0, 2))


def regret(totals: tuple[int, int, int, float]) -> Regret:
    replies, tokens, characters, usd = totals
    return Regret(at_ms=1, replies=replies, tokens=tokens, characters=characters, usd=usd)


@given(calls=st.lists(st.lists(Totals, max_size=5), max_size=3))
def test_running_totals_become_counts_that_only_grow(
    calls: list[list[tuple[int, int, int, float]]],
) -> None:
    counted = Counted()
    longest = max((len(told) for told in calls), default=0)
    for index in range(len(calls)):
        plan = Plan(id=f"c{index}")
        counted.metrics.started(plan)
        counted.tell(begun(plan), plan=plan)
    seen = 0.0
    for at in range(longest):
        for index, told in enumerate(calls):
            counted.tell(*[regret(it) for it in told[at : at + 1]], plan=Plan(id=f"c{index}"))
        now = counted.value("regret_tokens_total", pipeline="local")
        assert now >= seen
        seen = now
    most = [tuple(map(max, zip(*told, strict=True))) for told in calls if told]
    for position, name in enumerate(("replies", "tokens", "characters", "usd")):
        expected = sum(totals[position] for totals in most)
        assert counted.value(f"regret_{name}_total") == pytest.approx(expected)


def test_what_an_earlier_server_counted_is_not_counted_again(counted: Counted) -> None:
    counted.metrics.started(Plan())
    counted.tell(regret((3, 30, 300, 0.3)), regret((4, 50, 300, 0.4)))
    assert counted.value("regret_replies_total") == 1
    assert counted.value("regret_tokens_total") == 20
    assert counted.value("calls_started_total") == 0


Usage = st.tuples(*[st.integers(0, 50)] * 4, *[st.floats(0, 50)] * 2)
COUNTED: tuple[tuple[str, dict[str, str]], ...] = (
    ("llm_tokens_total", {"kind": "prompt"}),
    ("llm_tokens_total", {"kind": "cached"}),
    ("llm_tokens_total", {"kind": "completion"}),
    ("tts_characters_total", {}),
    ("stt_seconds_total", {}),
    ("cost_usd_total", {"part": "llm"}),
)
"""Where each of the figures in `Usage` goes."""


def used(totals: tuple[int, int, int, int, float, float], **more: float | None) -> Used:
    told: dict[str, float | None] = {"tts_usd": 0, "stt_usd": None} | more
    names = ("prompt_tokens", "cached_tokens", "completion_tokens", "characters", "stt_secs")
    figures = dict(zip((*names, "llm_usd"), totals, strict=True))
    return Used.model_validate({"at_ms": 1, "untold": 0} | figures | told)


@given(calls=st.lists(st.lists(Usage, min_size=1, max_size=5), max_size=3))
def test_what_calls_used_is_counted_once_however_often_it_is_told(
    calls: list[list[tuple[int, int, int, int, float, float]]],
) -> None:
    counted = Counted()
    for index, told in enumerate(calls):
        plan = Plan(id=f"c{index}")
        growing = [tuple(map(max, zip(*told[: end + 1], strict=True))) for end in range(len(told))]
        counted.metrics.started(plan)
        counted.tell(begun(plan), *[used(it) for it in (*growing, growing[-1])], plan=plan)
    for position, (name, labels) in enumerate(COUNTED):
        expected = sum(max(totals[position] for totals in told) for told in calls)
        assert counted.value(name, pipeline="local", **labels) == pytest.approx(expected)


def test_what_an_adopted_call_used_before_is_not_counted_again(counted: Counted) -> None:
    counted.metrics.started(Plan())
    counted.tell(used((100, 0, 10, 40, 6.0, 0.5)), used((150, 0, 30, 90, 9.0, 0.75)))
    found = [counted.value(name, **labels) for name, labels in COUNTED]
    assert found == [50, 0, 20, 50, 3.0, 0.25]


def test_a_part_without_a_price_costs_an_unknown_amount_and_not_nothing(counted: Counted) -> None:
    counted.metrics.started(Plan())
    counted.tell(begun(Plan()), used((0, 0, 0, 0, 0.0, 0.0)))
    parts = {own["part"]: value for it, own, value in counted.samples() if "cost_usd_total" in it}
    assert parts == {"llm": 0.0, "tts": 0.0}
    counted.tell(used((0, 0, 0, 0, 0.0, 0.0), tts_usd=0.2))
    assert counted.value("cost_usd_total", pipeline="local") == 0.2


def test_refusals_and_processes_are_counted(counted: Counted) -> None:
    counted.metrics.refused("full")
    counted.metrics.spawned("warm", 20)
    counted.metrics.spawned("forked", 200)
    assert counted.value("refusals_total", why="full") == 1
    assert counted.value("spawn_seconds_sum", kind="forked") == 0.2
    assert counted.value("spawn_seconds_count") == 2


def test_the_calls_processes_are_summed_and_the_silent_ones_forgotten(counted: Counted) -> None:
    metrics, clock = counted.metrics, counted.clock
    metrics.pulse("a", Pulse(lag_p99_ms=2, late_frames=3, rss_bytes=1000, cpu_secs=5))
    clock.now_secs = 2.0
    metrics.pulse("b", Pulse(lag_p99_ms=50, late_frames=1, rss_bytes=4000, cpu_secs=7))
    assert counted.value("children") == 2
    assert counted.value("child_memory_bytes") == 5000
    assert counted.value("child_memory_max_bytes") == 4000
    assert counted.value("loop_lag_max_seconds") == 0.05
    metrics.pulse("b", Pulse(cpu_secs=7.5))
    clock.now_secs = 3.5
    assert counted.value("children") == 1
    assert counted.value("child_memory_bytes") == 1000
    assert counted.value("late_frames_total") == 4
    assert counted.value("child_cpu_seconds_total") == 0.5
    assert counted.value("loop_lag_seconds_count") == 3


def test_levels_are_asked_for_at_each_scrape(counted: Counted) -> None:
    counted.metrics.levels = lambda: Levels(slots=8, slots_taken=3, warm_processes=2, forks=5)
    names = ("slots", "slots_taken", "warm_processes", "forks_total")
    assert [counted.value(name) for name in names] == [8, 3, 2, 5]


def test_many_calls_make_no_more_series_than_one(counted: Counted) -> None:
    def one(call: int) -> None:
        plan = Plan(id=f"call-{call}")
        counted.metrics.started(plan)
        counted.tell(begun(plan), CallerJoined(at_ms=1), ReplyStarted(at_ms=2), turn(), plan=plan)
        counted.metrics.pulse(plan.id, Pulse())
        counted.metrics.ended(plan, "caller_hung_up", 1.0)

    one(0)
    few = len(list(counted.samples()))
    for call in range(1, 50):
        one(call)
    assert len(list(counted.samples())) == few
    assert "call-" not in counted.metrics.text().decode()


def test_a_label_has_so_many_values_and_no_more(counted: Counted) -> None:
    for index in range(MAX_NAMES + 10):
        counted.metrics.refused(f"why-{index}")
    values = {own["why"] for name, own, _ in counted.samples() if name == "offhook_refusals_total"}
    assert len(values) == MAX_NAMES + 1
    assert counted.value("refusals_total", why=OTHER) == 10


def test_no_words_become_figures(counted: Counted) -> None:
    counted.tell(turn(), Filled(at_ms=1, text="Let me see."))
    assert "Ada" not in counted.metrics.text().decode()


def test_names_follow_prometheus_conventions(counted: Counted) -> None:
    text = counted.metrics.text().decode()
    families = [it for it in text_string_to_metric_families(text) if "offhook" in it.name]
    assert len(families) > 25
    for family in families:
        assert re.fullmatch(r"offhook_[a-z0-9_]+", family.name), family.name
        assert not re.search(r"_(ms|millis|kb|mb|minutes)\b", family.name), family.name
        if family.type == "histogram":
            assert family.name.endswith("_seconds"), family.name
        assert family.documentation


def test_the_server_tells_of_itself_too(counted: Counted) -> None:
    names = {name for name, _, _ in counted.samples()}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes"} <= names
    build = next(own for name, own, _ in counted.samples() if name == "offhook_build_info")
    assert set(build) == {"version", "pipecat"}
