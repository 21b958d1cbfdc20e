"""Ends the caller's turn in Pipecat as `StableTranscript` decides, and starts answers early."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import Any

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, EndOfTurnState
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    MetricsFrame,
    STTMetadataFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.services.llm_service import LLMService
from pipecat.turns.types import ProcessFrameResult, UserTurnSpeculation
from pipecat.turns.user_stop import BaseUserTurnStopStrategy
from pipecat.utils.time import time_now_iso8601

from processors import clock
from processors.keen_vad import KeenVad
from processors.reply_gate import withdrawn
from processors.speculation import Speculations
from processors.stable_transcript import (
    Act,
    Commit,
    Rules,
    Settle,
    Speculate,
    StableTranscript,
    Withdraw,
)
from processors.unfinished import Expects

_SEEN_LATE_MS = 40.0
"""How long Silero takes to see silence, beyond the windows it counts: the median over 55 human
recordings, by energy; half of them lie between 16 and 56."""
_RESUMED_MS = 90.0
"""Voice that takes an early answer back: three of Silero's windows, two are a click."""
_LATE_MS = 250.0
"""How much later than nearly always a final transcript may come, before one does without it."""
_LOOK_SECS = 0.02


class StableStop(BaseUserTurnStopStrategy):
    """One strategy for all ways to end a turn that are not the recogniser's own.

    Args:
        rules: When to start an answer, and when the turn is over.
        vad: The detector of the same pipeline; read at each chunk of audio.
        analyzer: Smart-turn, where it has a vote.
        speculations: The call's books of early answers; none are started without.

    Event handlers:
        on_answer_lost: The turn ended on an answer that the model had just taken back, or failed
            to give; nothing answers it unless the context is sent to the model again.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        vad: KeenVad,
        analyzer: BaseTurnAnalyzer | None = None,
        speculations: Speculations | None = None,
    ) -> None:
        super().__init__()
        self._core = StableTranscript(rules, may_guess=self._worthwhile)
        self._vad = vad
        self._analyzer = analyzer
        self._speculations = speculations
        self._open = False
        self._spoke = False
        self._watching: asyncio.Task[None] | None = None
        self._voting: asyncio.Task[None] | None = None
        self._forgiven: deque[int] = deque(maxlen=8)
        self._doing = asyncio.Lock()
        self._register_event_handler("on_answer_lost")

    def expect(self, expects: Expects | None) -> None:
        """The bot has just asked for something that people say in pieces, or for nothing such."""
        self._core.expects = expects

    def forgives(self, error: ErrorFrame) -> bool:
        """Whether the model's failure cost the caller nothing: the turn asks, or asked, again."""
        return error.id in self._forgiven

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Learn the audio's rate."""
        await super().setup(setup)
        if self._analyzer:
            self._analyzer.set_sample_rate(setup.audio_in_sample_rate)

    async def cleanup(self) -> None:
        """Stop looking."""
        await super().cleanup()
        await self._stop_tasks()
        if self._analyzer:
            await self._analyzer.cleanup()

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Tell the core what happened, and do what it says."""
        match frame:
            case InputAudioRawFrame():
                await self._do(self._hear(frame, clock.now_ms()))
            case VADUserStartedSpeakingFrame():
                await self._speaks(frame)
            case VADUserStoppedSpeakingFrame():
                await self._silent(frame, clock.now_ms())
            case BotStartedSpeakingFrame():
                self._core.heard()
            case STTMetadataFrame():
                final_ms = frame.ttfs_p99_latency * 1000 + _LATE_MS
                self._core.rules = replace(self._core.rules, final_ms=final_ms)
            case ErrorFrame() if isinstance(frame.processor, LLMService):
                await self._failed(frame)
            case EagerEndOfTurnCancelFrame():
                await self._taken_back(frame)
            case _:
                await self._do(self._read(frame, clock.now_ms()))
        return ProcessFrameResult.CONTINUE

    def _read(self, frame: Frame, now_ms: float) -> list[Act]:
        match frame:
            case InterimTranscriptionFrame():
                return self._core.partial(frame.text, now_ms, quiet_ms=self._quiet_ms())
            case TranscriptionFrame():
                return self._core.final(frame.text, now_ms, quiet_ms=self._quiet_ms())
            case EagerTranscriptionFrame():
                return self._core.likely_end(frame.text, now_ms)
            case _:
                return []

    async def handle_user_turn_started(self) -> None:
        """Begin with nothing heard."""
        await super().handle_user_turn_started()
        await self._do(self._core.end())
        self._core.begin()
        self._open = True

    async def handle_user_turn_stopped(self) -> None:
        """Leave no answer held: a turn that something else ended would stay silent."""
        await super().handle_user_turn_stopped()
        self._open = False
        await self._do(self._core.end())
        if self._analyzer:
            self._analyzer.clear()

    def _hear(self, frame: InputAudioRawFrame, now_ms: float) -> list[Act]:
        if self._analyzer:
            self._analyzer.append_audio(frame.audio, self._spoke)
        run = self._vad.run
        if self._core.guessing and run.voiced_ms >= _RESUMED_MS:
            return self._core.resumes()
        return self._core.look(now_ms, quiet_ms=self._quiet_ms()) if run.quiet_ms else []

    def _quiet_ms(self) -> float:
        run = self._vad.run
        if not run.quiet_ms and not run.voiced_ms:
            # No audio has come yet.
            return _SEEN_LATE_MS
        return run.quiet_ms + _SEEN_LATE_MS if run.quiet_ms else 0.0

    async def _speaks(self, frame: VADUserStartedSpeakingFrame) -> None:
        self._spoke = True
        acts = self._core.speaks()
        await self._stop_tasks()
        if self._analyzer:
            self._analyzer.update_vad_start_secs(frame.start_secs)
        await self._do(acts)

    async def _silent(self, frame: VADUserStoppedSpeakingFrame, now_ms: float) -> None:
        self._spoke = False
        await self._stop_tasks()
        since_ms = now_ms - frame.stop_secs * 1000 - _SEEN_LATE_MS
        await self._do(self._core.silent(since_ms, now_ms))
        if self._analyzer and self._core.rules.vote:
            self._voting = self.create_task(self._vote(self._analyzer))
        self._watching = self.create_task(self._watch())

    async def _vote(self, analyzer: BaseTurnAnalyzer) -> None:
        # Beside the frames, not between them: it takes the model a while.
        state, metrics = await analyzer.analyze_end_of_turn()
        if metrics:
            await self.push_frame(MetricsFrame(data=[metrics]))
        complete, quiet_ms = state is EndOfTurnState.COMPLETE, self._quiet_ms()
        await self._do(self._core.vote(clock.now_ms(), complete=complete, quiet_ms=quiet_ms))

    async def _watch(self) -> None:
        """Look while it is silent; a caller who sends no audio is silent as well."""
        while self._core.is_open and self._core.is_silent:
            await asyncio.sleep(_LOOK_SECS)
            await self._do(self._core.look(clock.now_ms(), quiet_ms=self._quiet_ms()))

    async def _do(self, acts: list[Act]) -> None:
        if not acts:
            return
        # Frames, the verdict and the watch come from several tasks: what was decided first is
        # done first, or a withdrawal would overtake what it withdraws.
        async with self._doing:
            for act in acts:
                await self._perform(act)

    async def _perform(self, act: Act) -> None:
        match act:
            case Speculate(text):
                speculation = UserTurnSpeculation(text=text)
                await self.trigger_user_turn_inference_triggered(speculation=speculation)
            case Withdraw():
                await self.trigger_user_turn_speculation_cancelled()
            case Settle(text):
                final = TranscriptionFrame(text, "", time_now_iso8601(), finalized=True)
                await self.push_frame(final)
            case Commit(_, confirms):
                await self._commit(confirms=confirms)

    async def _commit(self, *, confirms: bool) -> None:
        if confirms:
            await self.trigger_user_turn_finalized(confirms_speculation=True)
        else:
            await self.trigger_user_turn_stopped()
        if self._open:
            # The controller has just heard the caller speak again.
            self._core.reopen()
            if confirms:
                await self.trigger_user_turn_speculation_cancelled()

    async def _taken_back(self, frame: EagerEndOfTurnCancelFrame) -> None:
        # The recogniser pushes it down the pipeline, and it reaches the model on its own way. The
        # model broadcasts it, and by the time it is here the turn may have ended.
        if frame.broadcast_sibling_id is None:
            self._core.unlikely_end()
        elif self._is_newest(withdrawn(frame)) and self._core.refused():
            await self._call_event_handler("on_answer_lost")

    def _worthwhile(self) -> bool:
        return self._speculations is not None and self._speculations.worth().answer

    def _is_newest(self, generation: int | None) -> bool:
        newest = self._speculations.newest if self._speculations else None
        return generation is None or newest is None or generation == newest

    async def _failed(self, error: ErrorFrame) -> None:
        guessing = self._core.guessing
        lost = self._core.refused()
        if guessing or lost:
            self._forgiven.append(error.id)
        if lost:
            await self._call_event_handler("on_answer_lost")

    async def _stop_tasks(self) -> None:
        tasks: list[Any] = [self._watching, self._voting]
        self._watching = self._voting = None
        for task in tasks:
            if task and task is not asyncio.current_task():
                await self.cancel_task(task)
