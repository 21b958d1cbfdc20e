"""Human speech with pauses inside: every answer answers what was said, and nothing else is left."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bots.call import Surroundings, run
from bots.plan import plan_call
from evals.call import Script
from evals.latency_turns import Saying, sayings
from evals.simulators.behaviour import Behaviour, Ears, Latency, Rule, Wits
from evals.simulators.vendors import Vendors
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from pipelines.config import PRESETS
from pipelines.headless import HeadlessTransport
from providers.models import ModelStore
from records.events import CallEvent, Regret, Turn
from records.record import FolderStore

pytestmark = pytest.mark.integration

PATIENT = """commit = "silence"
silence_ms = 1100
regret_ratio = 10
"""
"""Longer than the caller's pauses, each of which looks like an end for a while."""
ECHO = Rule(say="You said: {heard}. That is a sentence of several words.")


def conversation() -> list[Saying]:
    """Sentences in one breath, and sentences and numbers with pauses."""
    said = sayings(9)
    return [*[one for one in said if not one.pauses][:2], *[one for one in said if one.pauses][:2]]


async def call(
    folder: Path, said: list[Saying], *, tool: bool = False
) -> tuple[Vendors, list[CallEvent]]:
    """Say it all to a bot on simulated vendors; what they saw, and what happened."""
    rules = (Rule(tool="opening_hours"),) if tool else (ECHO,)
    behaviour = Behaviour(
        ears=Ears(
            lines=tuple(line for one in said for line in one.lines),
            final=Latency(p50_ms=350),
            finalize="as_final",
        ),
        wits=Wits(rules=rules),
    )
    happened: list[CallEvent] = []
    transport = HeadlessTransport()
    script = Script(transport, 20)
    preset = folder / "patient.toml"
    cloud = (PRESETS / "cloud.toml").read_text("utf-8")
    preset.write_text(cloud.replace('commit = "stable"', PATIENT))
    plan = plan_call(bot="receptionist", pipeline=preset, transport="headless")

    def listen(event: CallEvent) -> None:
        happened.append(event)
        script.listen(event)

    around = Surroundings(
        site=LocalSite(ModelStore(offline=True, env={}), Sidecars()),
        records=FolderStore(folder / "calls"),
        state_dir=folder / "state",
        listener=listen,
    )
    async with Vendors(behaviour) as vendors:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OFFHOOK_VENDORS", vendors.url)
            calling = asyncio.ensure_future(run(plan, transport, around))
            await script.play([(Path(one.text), one.audio) for one in said])
            await calling
        return vendors, happened


def callers_words(body: str) -> list[str]:
    """What the caller said, as a request to the model has it, the bot's examples left out."""
    messages = json.loads(body)["messages"]
    greeting = next(
        at for at, m in enumerate(messages) if "Hollybank Dental, this is" in str(m["content"])
    )
    return [m["content"] for m in messages[greeting:] if m["role"] == "user"]


async def test_each_answer_answers_the_words_that_the_turn_ended_on(tmp_path: Path) -> None:
    said = conversation()
    vendors, happened = await call(tmp_path, said)
    turns = [event for event in happened if isinstance(event, Turn)]
    assert [turn.heard for turn in turns] == [one.text for one in said]
    for turn in turns:
        assert turn.answered == f"You said: {turn.heard}. That is a sentence of several words."
    bodies = [seen.body for seen in vendors.desk.seen if seen.service == "groq-chat"]
    asked = [callers_words(body) for body in bodies if callers_words(body)]
    # An early request may end on words that the turn did not end on; what went before is certain.
    for words in asked:
        assert words[:-1] == [one.text for one in said][: len(words) - 1]
    assert len(asked) > len(said)


async def test_an_early_answer_that_wants_a_tool_calls_none(tmp_path: Path) -> None:
    _, happened = await call(tmp_path, conversation()[:2], tool=True)
    turns = [event for event in happened if isinstance(event, Turn)]
    called = [event for event in happened if event.kind == "tool_called"]
    assert len(called) == len(turns) == 2


async def test_what_was_thrown_away_is_told(tmp_path: Path) -> None:
    _, happened = await call(tmp_path, conversation())
    told = [event for event in happened if isinstance(event, Regret)]
    assert told
    assert told[-1].replies >= 1
    assert told[-1].tokens > 0
