"""Where a turn's time goes: what happened when, from the caller's last sample to the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipecat.frames.frames import (
    Frame,
    InterimTranscriptionFrame,
    LLMContextFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from evals.report import percentile

Step = Literal["partial", "final", "quiet", "commit", "request", "token", "speak", "voice"]
"""A partial and a final transcript, the VAD's stop, the turn's end, the request to the model and
its first token, the request to the voice and its first sound."""

BEFORE: tuple[Step, ...] = ("partial", "final", "quiet", "commit", "request")
"""Of these the last before the answer counts."""
AFTER: tuple[Step, ...] = ("token", "speak", "voice")
"""Of these the first after the one before."""
_FIRST_ONLY = AFTER


@dataclass(frozen=True)
class Event:
    """A step at a time."""

    step: Step
    at_ms: float
    text: str = ""


@dataclass
class Trace:
    """Notes what passes between the processors of a running line."""

    events: list[Event] = field(default_factory=list[Event])
    """In order; times by the loop's clock."""

    def attach(self, first: FrameProcessor) -> None:
        """Listen to every processor from `first` on; the line must have been linked."""
        processor = first
        while processor is not None:
            processor.add_event_handler("on_before_push_frame", self._pushed)
            if isinstance(processor, TTSService):
                processor.add_event_handler("on_tts_request", self._asked)
            processor = processor.next

    async def _pushed(self, processor: FrameProcessor, frame: Frame) -> None:
        step = _step(processor, frame)
        if step is not None:
            self._note(step, str(getattr(frame, "text", "")))

    async def _asked(self, _: Any, __: str, text: str) -> None:
        self._note("speak", text)

    def _note(self, step: Step, text: str) -> None:
        if step in _FIRST_ONLY and self._since_request(step):
            return
        now_ms = asyncio.get_running_loop().time() * 1000
        self.events.append(Event(step, now_ms, text))

    def _since_request(self, step: Step) -> bool:
        """Whether that step was noted since the last request."""
        for event in reversed(self.events):
            if event.step == "request":
                return False
            if event.step == step:
                return True
        return False


def _step(processor: FrameProcessor, frame: Frame) -> Step | None:
    if isinstance(processor, STTService):
        kinds: dict[type[Frame], Step] = {
            InterimTranscriptionFrame: "partial",
            TranscriptionFrame: "final",
        }
    elif isinstance(processor, LLMUserAggregator):
        kinds = {
            VADUserStoppedSpeakingFrame: "quiet",
            UserStoppedSpeakingFrame: "commit",
            LLMContextFrame: "request",
        }
    elif isinstance(processor, LLMService):
        kinds = {LLMTextFrame: "token"}
    elif isinstance(processor, TTSService):
        kinds = {TTSAudioRawFrame: "voice"}
    else:
        return None
    return kinds.get(type(frame))


def timeline(events: Sequence[Event], end_ms: float, audible_ms: float) -> dict[Step, float]:
    """When the steps that led to an answer happened, in ms after the caller's last sample.

    Args:
        events: Of the call, on the tracks' clock.
        end_ms: The caller's last speech sample.
        audible_ms: The answer's first audible sample.
    """
    found: dict[Step, float] = {}
    for step in BEFORE:
        times = [event.at_ms for event in events if event.step == step]
        before = [at_ms for at_ms in times if at_ms <= audible_ms]
        if before:
            found[step] = before[-1] - end_ms
    since_ms = found.get("request", 0.0) + end_ms
    for step in AFTER:
        times = [event.at_ms for event in events if event.step == step]
        after = [at_ms for at_ms in times if since_ms <= at_ms <= audible_ms]
        if after:
            since_ms = after[0]
            found[step] = since_ms - end_ms
    return found


def table(rows: Sequence[tuple[str, dict[Step, float], float]]) -> str:
    """Turns and their timelines, one a line, and the medians.

    Args:
        rows: A turn's words, its timeline, its ear latency.
    """
    steps = (*BEFORE, *AFTER)
    lines = ["".join(f"{name:>9}" for name in (*steps, "audible")) + "  turn"]
    for text, found, ear_ms in rows:
        cells = [found.get(step) for step in steps]
        lines.append("".join(_cell(cell) for cell in (*cells, ear_ms)) + f"  {text}")
    columns = [[found[step] for _, found, _ in rows if step in found] for step in steps]
    columns.append([ear_ms for _, _, ear_ms in rows])
    medians = [percentile(sorted(column), 50) if column else None for column in columns]
    return "\n".join([*lines, "".join(_cell(median) for median in medians) + "  median"])


def _cell(value: float | None) -> str:
    return f"{'-' if value is None else round(value):>9}"
