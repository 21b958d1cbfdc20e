"""The receptionist's wits: what callers say, and what the real model makes of it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots.bot import load_bot
from bots.receptionist.practice import Practice
from bots.receptionist.tools import Desk
from bots.toolkit import Tool
from providers.llm._json_turn import Call, JsonTurn, Say
from providers.llm._llama_cpp_request import conversation
from providers.llm.llama_cpp import LlamaCppLlm
from tests.support.local_llm import running

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 20, 8, 0)  # A Friday.

# What the caller says, the tools that answer it (None: plain talk), what the answer must hold.
Line = tuple[str, str | None, str]
CALLS: list[list[Line]] = [
    [
        ("Good morning, is this the dentist?", None, "Hollybank"),
        ("What are your opening hours?", "opening_hours", "Monday to Thursday"),
        ("Are you open on Saturday?", "opening_hours", "closed"),
        ("Okay, thank you. Bye.", None, ""),
    ],
    [
        ("When do you close today?", "opening_hours", "2 PM"),
        ("How much does a cleaning cost?", "price", "85 dollars"),
        ("And a filling?", "price", "120 dollars"),
        ("What do you charge to pull a wisdom tooth?", "price", "150 dollars"),
        ("How much are braces?", "price", "no price"),
    ],
    [
        ("Do you have anything free on Tuesday morning?", "free_slots", "On Tuesday I have"),
        ("I'll take the first one.", "book", "What name"),
        ("Laura Stone.", "book", "under Laura Stone"),
        ("Great, thank you.", None, ""),
    ],
    [
        ("I'd like to make an appointment.", "free_slots|book", ""),
        ("On Wednesday, if possible.", "free_slots|book", "On Wednesday"),
        ("And in the afternoon?", "free_slots", "PM"),
        ("The last one, please.", "book", "What name"),
        ("My name is Peter Novak.", "book", "under Peter Novak"),
    ],
    [
        ("Please book me for Monday at ten. My name is John Miller.", "book", "10 AM"),
        ("How much will a check-up be?", "price", "60 dollars"),
    ],
    [
        ("Who are you?", None, "Robin"),
        ("What is the capital of France?", None, "practice"),
        ("Can you tell me a joke?", None, "practice"),
        ("Are you a human?", None, "computer"),
        ("Where are you?", None, "Mill Road"),
        ("Thanks, goodbye.", None, ""),
    ],
]


class Caller:
    """Talks to the model as a call does, without ears and voice."""

    def __init__(self, client: httpx.AsyncClient, state_dir: Path) -> None:
        self._client = client
        self._bot = load_bot("receptionist")
        opening = self._bot.opening(state_dir)
        self._head, self._tools = len(opening.messages), opening.tools
        self._talk: list[dict[str, Any]] = list(opening.messages)
        practice = Practice(state_dir / "practice.sqlite3")
        practice.open(NOW.date())
        desk = Desk(practice, lambda: NOW)
        functions = (desk.opening_hours, desk.price, desk.free_slots, desk.book)
        self._desk = {tool.name: tool for tool in map(Tool, functions)}
        self._heard: list[str] = []

    async def say(self, words: str) -> tuple[str | None, str]:
        """Say `words`; the tool that was called and what was answered."""
        self._heard.append(words)
        self._talk.append({"role": "user", "content": words})
        told = conversation(self._talk, self._tools, head=self._head, ctx_tokens=4096)
        body = told | {"max_tokens": 80}
        answer = (await self._client.post("/v1/chat/completions", json=body)).json()
        [part] = JsonTurn().feed(answer["choices"][0]["message"]["content"])
        if isinstance(part, Say):
            self._talk.append({"role": "assistant", "content": part.text})
            return None, part.text
        return part.name, await self._look_up(part)

    async def _look_up(self, call: Call) -> str:
        result = await self._desk[call.name].run(json.loads(call.arguments), heard=self._heard)
        function = {"name": call.name, "arguments": call.arguments}
        made = {"id": "1", "type": "function", "function": function}
        self._talk += [
            {"role": "assistant", "content": None, "tool_calls": [made]},
            {"role": "tool", "tool_call_id": "1", "content": json.dumps({"say": result.say})},
        ]
        return result.say


@pytest.mark.timeout(300)
async def test_it_does_what_callers_ask(tmp_path: Path) -> None:
    llm = LlamaCppLlm()
    missed: list[str] = []
    async with running(llm) as site:
        url = site.url(llm.sidecars(site)[0].name)
        await llm.warm(site, (load_bot("receptionist").opening(tmp_path),))
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
            for number, call in enumerate(CALLS):
                caller = Caller(client, tmp_path / str(number))
                for words, tools, holds in call:
                    tool, answer = await caller.say(words)
                    right = tool in (tools.split("|") if tools else [None]) and holds in answer
                    missed += [] if right else [f"{words} -> {tool}: {answer}"]
    assert len(missed) <= sum(map(len, CALLS)) * 0.1, "\n".join(missed)
