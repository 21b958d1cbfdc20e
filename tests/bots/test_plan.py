"""A plan is complete and checked, or there is none."""

from __future__ import annotations

import pytest

from bots.plan import plan_call
from errors import ConfigError, NotFoundError

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
