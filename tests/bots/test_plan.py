"""A plan is complete and checked, or there is none."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from bots.bot import bot_names
from bots.plan import AnyTransport, CallPlan, TransportName, plan_call
from errors import BadRequestError, ConfigError, NotFoundError
from pipelines.config import preset_names

pytestmark = pytest.mark.unit


def test_a_plan_has_an_id_of_its_own() -> None:
    first, second = plan_call(pipeline="simulated"), plan_call(pipeline="simulated")
    assert first.id != second.id
    assert first.id.isalnum()


def test_the_bots_turn_lies_over_the_pipelines() -> None:
    interviewer = plan_call(bot="interviewer", pipeline="simulated")
    wished = interviewer.bot.settings.turn
    for key, value in wished.items():
        assert getattr(interviewer.config.turn, key) == value


def test_names_that_do_not_exist_are_told_apart() -> None:
    with pytest.raises(NotFoundError) as caught:
        plan_call(bot="nobody")
    assert caught.value.field == "bot"
    with pytest.raises(NotFoundError) as caught:
        plan_call(pipeline="nothing")
    assert caught.value.field == "pipeline"
    with pytest.raises(ConfigError):
        plan_call(pipeline="simulated", overrides={"slots": 1})


@pytest.mark.parametrize("bot", bot_names())
@pytest.mark.parametrize("pipeline", preset_names())
def test_a_plan_reaches_another_process_as_it_is(bot: str, pipeline: str) -> None:
    plan = plan_call(bot=bot, pipeline=pipeline, transport="daily", room="standup")
    told = CallPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert told == plan
    assert told.digest() == plan.digest()


@pytest.mark.parametrize("transport", [*get_args(TransportName), "twilio", "headless"])
def test_a_plan_of_any_transport_reaches_it(transport: AnyTransport) -> None:
    plan = plan_call(pipeline="simulated", transport=transport)
    assert CallPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize("settings", [{"language": "de"}, {"language": "de", "farewell": "Ade."}])
def test_a_bot_in_another_language_stays_one(settings: dict[str, Any]) -> None:
    plan = plan_call(pipeline="simulated")
    told = plan.to_json()
    bot: Any = told["bot"]
    spoken = {"title": "T", "summary": "S", "greeting": "Guten Tag."} | settings
    first = CallPlan.from_json(told | {"bot": bot | {"settings": spoken}})
    assert CallPlan.from_json(first.to_json()) == first


def test_a_digest_tells_what_stages_are_built_from() -> None:
    plan = plan_call(pipeline="simulated")
    assert plan.digest() == plan_call(pipeline="simulated", transport="livekit").digest()
    assert len(plan.digest()) == 16
    others = (
        plan_call(pipeline="cloud"),
        plan_call(pipeline="simulated", bot="interviewer"),
        plan_call(pipeline="simulated", overrides={"turn": {"silence_ms": 900}}),
    )
    assert len({plan.digest(), *(other.digest() for other in others)}) == 4


@pytest.mark.parametrize(
    "wrong",
    [{"bot": {}}, {"config": None}, {"transport": "pigeon"}, {"id": "../x"}, {"more": 1}],
)
def test_what_is_no_plan_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError) as caught:
        CallPlan.from_json(plan_call(pipeline="simulated").to_json() | wrong)
    assert caught.value.code == "bad_plan"
