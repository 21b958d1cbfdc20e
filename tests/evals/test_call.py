"""`offhook call` from end to end: scripted providers, human speech, real time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from errors import NotFoundError
from evals.call import CallOptions, NoAnswerError, run_call
from evals.corpus import LIBRIVOX
from providers.models import ModelStore
from records.ear import Answer, hear
from records.recording import read_tracks

pytestmark = pytest.mark.integration

CLIP = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0880.wav"


@pytest.fixture
def options(tmp_path: Path) -> CallOptions:
    return CallOptions(
        bot="interviewer",
        preset="simulated",
        wavs=(CLIP,),
        out=tmp_path / "call.wav",
        data_dir=tmp_path / "data",
        answer_secs=20,
    )


def test_a_call_is_measured_recorded_and_kept(
    options: CallOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    [turn] = asyncio.run(run_call(options, ModelStore(offline=True, env={})))
    assert turn.heard == "hello there"
    assert turn.answered.startswith("You said: hello there.")
    assert turn.ear_ms is not None
    assert sum(part.ms for part in turn.parts) == turn.ear_ms
    printed = capsys.readouterr().out
    assert "heard     hello there" in printed
    assert f"ear       {turn.ear_ms} ms" in printed
    assert options.out
    tracks = read_tracks(options.out)
    assert np.abs(tracks[:, 0]).max() > 1000
    assert np.abs(tracks[:, 1]).max() > 1000
    [answer] = [event for event in hear(tracks, 16_000) if isinstance(event, Answer)][-1:]
    assert abs(answer.ear_ms - turn.ear_ms) <= 20
    [folder] = (options.data_dir / "calls").iterdir()
    assert json.loads((folder / "record.json").read_text())["reason"] == "caller_hung_up"


def test_a_bot_that_stays_silent_is_an_error(options: CallOptions) -> None:
    impatient = replace(options, answer_secs=0.2)
    with pytest.raises(NoAnswerError, match="0880"):
        asyncio.run(run_call(impatient, ModelStore(offline=True, env={})))


def test_an_unknown_bot_is_named(options: CallOptions) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        asyncio.run(run_call(replace(options, bot="nobody"), ModelStore(offline=True, env={})))
