"""Where a turn's time went: Pipecat's contributions, fitted to what was heard."""

from __future__ import annotations

from collections.abc import Sequence

from records.events import Part, Stage

_STAGES: dict[str, Stage] = {
    "endpointing_wait": "endpointing",
    "turn_detection": "endpointing",
    "turn_completion": "endpointing",
    "waiting_for_user": "endpointing",
    "transcription": "stt",
    "llm_inference": "llm",
    "awaiting_speakable_text": "llm",
    "sentence_aggregation": "llm",
    "llm_tool_call": "tools",
    "function_handler": "tools",
    "speech_synthesis": "tts",
    "output_transport": "transport",
}
_LABELS: dict[Stage, str] = {
    "endpointing": "end of turn",
    "stt": "recognition",
    "llm": "language model",
    "tools": "tools",
    "tts": "voice",
    "transport": "network and playback",
    "own": "pipeline",
}


def parts(contributions: Sequence[tuple[str, float]], ear_ms: int | None) -> tuple[Part, ...]:
    """Group `contributions` (key of Pipecat's observer, seconds) by stage, in stage order.

    Pipecat counts from the VAD's stop less its window, which is not quite the caller's last
    sample, to the first frame handed to the transport. What the ear heard beyond that is the
    transport's; what it heard less is taken off the wait for the end of the turn, where the
    difference arose. So the parts add up to `ear_ms` whenever it is known.
    """
    spent: dict[Stage, float] = dict.fromkeys(_LABELS, 0.0)
    for key, secs in contributions:
        spent[_STAGES.get(key, "own")] += max(0.0, secs) * 1000
    rounded: dict[Stage, int] = {stage: round(ms) for stage, ms in spent.items()}
    if ear_ms is not None:
        excess = ear_ms - sum(rounded.values())
        rounded["transport"] += max(0, excess)
        _take(rounded, -min(0, excess))
    return tuple(
        Part(stage=stage, label=_LABELS[stage], ms=ms) for stage, ms in rounded.items() if ms > 0
    )


def blame(shown: Sequence[Part]) -> Stage | None:
    """The stage that is to blame for a late answer: the one that took longest, simply.

    Of two that took equally long, the first. None where nothing is known.
    """
    return max(shown, key=lambda part: part.ms).stage if shown else None


def _take(spent: dict[Stage, int], ms: int) -> None:
    """Take `ms` off the stages in order, the first ones first, none below zero."""
    for stage in spent:
        taken = min(spent[stage], ms)
        spent[stage] -= taken
        ms -= taken
