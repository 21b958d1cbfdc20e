"""`offhook bench call`: how well a pipeline hears, and how soon it answers, on human speech."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from evals.call import CallOptions, run_call
from evals.corpus import librivox
from evals.report import Report
from evals.wer import word_error_rate

if TYPE_CHECKING:
    from providers.models import ModelStore


def bench_call(preset: str, bot: str, *, rounds: int, models: ModelStore) -> Report:
    """Play the five LibriVox clips to the bot, `rounds` times, headless and in real time.

    Figures: `word_error_rate` of what was heard, `ear_latency_ms` from the two tracks, and each
    part of the waterfall.

    Raises:
        OffhookError: The clips, the weights or an answer are missing.
    """
    clips = librivox() * rounds
    options = CallOptions(
        bot=bot,
        preset=preset,
        wavs=tuple(clip.path for clip in clips),
        out=None,
        data_dir=Path("data"),
        answer_secs=30.0,
    )
    turns = asyncio.run(run_call(options, models))
    report = Report()
    said = [clip.text for clip in clips]
    report.value("word_error_rate", word_error_rate(said, [turn.heard for turn in turns]), "ratio")
    ears = [turn.ear_ms for turn in turns if turn.ear_ms is not None]
    report.percentiles("ear_latency_ms", ears, "ms")
    stages = dict.fromkeys(part.stage for turn in turns for part in turn.parts)
    for stage in stages:
        spent = [sum(p.ms for p in turn.parts if p.stage == stage) for turn in turns]
        report.percentiles(f"part_{stage}_ms", spent, "ms")
    return report
