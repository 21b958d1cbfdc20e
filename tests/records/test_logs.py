"""One line an event, readable by a program, with the call's id and without its words."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from bots.bot import load_bot
from evals.call import CallOptions, NoAnswerError, run_call
from evals.corpus import librivox
from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors
from pipelines.config import PRESETS
from providers.models import ModelStore
from records.logs import bind_call, configure, inherit, repeat, wish
from records.redact import hide

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    yield
    logger.remove()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_json_is_one_object_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO/json")
    logger.bind(slots=8, where=Path("data")).info("took {} of\n{}", 'a "line"', "{braces}")
    [line] = lines(capfd)
    assert line["message"] == 'took a "line" of\n{braces}'
    assert (line["level"], line["call_id"], line["logger"]) == ("INFO", "-", __name__)
    assert (line["slots"], line["where"]) == (8, "data")
    assert line["time"].endswith("Z")
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_a_call_is_named_in_what_happens_in_it(capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO/json")
    with logger.contextualize(call_id="c1"):
        logger.info("here")
        logging.getLogger("vendor.sdk").warning("told by the standard library: %s", "50%")
    logger.info("there")
    assert [(it["call_id"], it["logger"]) for it in lines(capfd)] == [
        ("c1", __name__),
        ("c1", "vendor.sdk"),
        ("-", __name__),
    ]


def test_a_process_of_one_call_names_it_everywhere(capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO/json")
    bind_call("c2")
    logger.bind(slots=8).info("here")
    logging.getLogger("vendor.sdk").warning("and there")
    assert [it["call_id"] for it in lines(capfd)] == ["c2", "c2"]


def test_an_exception_is_inside_its_object(capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO/json")
    transcript = "my name is Ada"
    try:
        raise RuntimeError("no answer")
    except RuntimeError:
        logger.exception("call {} failed", "c1")
    [line] = lines(capfd)
    assert line["exception"]["type"] == "RuntimeError"
    assert line["exception"]["traceback"].endswith("RuntimeError: no answer")
    assert transcript not in json.dumps(line), "the values of variables stay out"


def test_a_key_is_hidden_also_where_json_would_escape_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    key = 'sk-"quoted"-\\-0123'
    hide(key)
    configure("INFO/json")
    logger.bind(header={"authorization": key}, other=[key]).warning("sent {}", key)
    said = capfd.readouterr().err
    assert "quoted" not in said
    assert said.count("[hidden]") == 3


def test_text_is_one_line_too(capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    logger.info("first\nINFO    - forged: second")
    [line] = capfd.readouterr().err.splitlines()
    assert line.endswith(f"- {__name__}: first\\nINFO    - forged: second")


def test_libraries_are_heard_from_warnings_on(capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO/json")
    for name in ("vendor.sdk", "uvicorn.error"):
        logging.getLogger(name).info("transcript: my name is Ada")
    logging.getLogger("vendor.sdk").log(35, "between two levels")
    assert [it["message"] for it in lines(capfd)] == ["between two levels"]


@pytest.mark.parametrize(
    ("environ", "wished"),
    [
        ({}, "INFO"),
        ({"OFFHOOK_LOG_LEVEL": "debug"}, "debug"),
        ({"OFFHOOK_LOG_FORMAT": "json"}, "INFO/json"),
        ({"OFFHOOK_LOG_FORMAT": "JSON", "OFFHOOK_LOG_LEVEL": "ERROR"}, "ERROR/json"),
        ({"OFFHOOK_LOG_FORMAT": "text"}, "INFO"),
    ],
)
def test_the_environment_says_how(environ: dict[str, str], wished: str) -> None:
    assert wish(environ) == wished


FORKING = """
import os, threading
from loguru import logger
from records.logs import bind_call, configure
configure("INFO/json")
assert threading.active_count() == 1
if os.fork() == 0:
    bind_call("forked")
    logger.info("as configured before")
    configure("DEBUG/json")
    logger.debug("as configured after")
    os._exit(0)
os.wait()
logger.info("the parent")
"""


def test_a_forked_process_logs_on() -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=True
    )
    told = [json.loads(line) for line in run.stderr.splitlines()]
    assert [(line["call_id"], line["message"]) for line in told] == [
        ("forked", "as configured before"),
        ("-", "as configured after"),
        ("-", "the parent"),
    ]


@pytest.mark.parametrize(("level", "said"), [("DEBUG", "Ada"), ("INFO", "[...]")])
def test_words_that_a_library_logs_are_there_at_debug_only(
    capfd: pytest.CaptureFixture[str], level: str, said: str
) -> None:
    configure(f"{level}/json")
    logger.patch(lambda it: it.update(name="pipecat.services.tts_service")).warning(
        "service is no longer usable, not speaking Ada"
    )
    [line] = lines(capfd)
    assert line["message"].endswith(f"not speaking {said}")


async def test_no_words_of_a_call_are_logged_above_debug(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where the model fails, and the libraries complain."""
    configure("INFO/json")
    bot = load_bot("receptionist")
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        failing = Fault(kind="status", status=503, times=None)
        vendors.desk.behave(Behaviour(faults={"groq-chat": (failing,)}))
        options = CallOptions(
            bot=bot.name,
            preset=PRESETS / "cloud.toml",
            wavs=(librivox()[1].path,),
            out=None,
            data_dir=tmp_path,
            answer_secs=6.0,
        )
        with contextlib.suppress(NoAnswerError):
            await run_call(options, ModelStore(offline=True, env=os.environ))
    said = capfd.readouterr().err
    told = [json.loads(line) for line in said.splitlines()]
    assert any(line["message"].startswith("call ended") for line in told)
    assert any(line["logger"].startswith("pipecat") for line in told), "a library complained"
    assert {line["call_id"] for line in told} - {"-"}
    settings = bot.settings
    texts = (settings.greeting, settings.apology, "hello there", "You said", bot.prompt[:40])
    assert [text for text in texts if text.lower() in said.lower()] == []


def test_what_was_configured_before_the_fork_stays(capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO/json")
    added = logger.add(lambda _: None)
    inherit("INFO/json")
    logger.remove(added)
    inherit("WARNING/json")
    logger.info("unheard")
    logger.warning("heard")
    # What a library did to it.
    logger.remove()
    logger.warning("unheard too")
    repeat()
    logger.warning("heard again")
    assert [line["message"] for line in lines(capfd)] == ["heard", "heard again"]
