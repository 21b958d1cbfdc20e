"""Begins the caller's turn, over the bot only if they mean it: first hold the bot, then decide."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FunctionCallCancelFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_start import BaseUserTurnStartStrategy

from processors import clock
from processors.backchannel import fresh, is_part, plain, repeats, similar
from processors.barge_guard import ONSET_MS, Act, BargeInGuard, Bot, Busy, LastNod, Ruling
from processors.echo import EchoGuess
from processors.keen_vad import KeenVad

LATE_MS = 2_000
"""How long after a turn, or an echo, its last words may still be told."""
_NOTED = 2


class Mouth(Protocol):
    """What the bot's audio goes through."""

    def pause(self) -> None:
        """Hold it."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...

    def said(self) -> tuple[str, ...]:
        """The last sentences, the present one at the end."""
        ...


@dataclass
class _Turn:
    """What was said in the caller's last turn, for what is told of it too late."""

    open: bool = False
    ended_at_ms: float = float("-inf")
    voiced: bool = False
    """Whether the caller was heard since."""
    tail: str = ""
    """Words that no final transcript has confirmed."""
    done: str = ""
    """The last ones that one has."""

    def late(self, text: str, now_ms: float, *, busy: bool) -> bool:
        """Whether those words belong to the turn that is over; `busy`: the bot answers it."""
        # What says them again over the bot without a voice is a noise, however much later.
        unheard = busy and not self.voiced
        if now_ms - self.ended_at_ms > LATE_MS and not unheard:
            return False
        # Of a caller who was not heard since, a part of the words is nothing new either.
        return any(
            similar(text, known) or (not self.voiced and is_part(text, known))
            for known in (self.tail, self.done)
            if known
        )

    def new(self, text: str, now_ms: float) -> str:
        """What of an utterance that goes on was not said in that turn."""
        return fresh(text, self.tail) if now_ms - self.ended_at_ms <= LATE_MS else text


class BargeInStart(BaseUserTurnStartStrategy):
    """Begins the caller's turn: by voice or words while the bot is idle, else as the guard says.

    Give it the bot's `mouth` before the pipeline runs, and have `played` told of each chunk.

    Event handlers:
        on_false_alarm: The bot was held and goes on; for how long (ms), and why ("noise",
            "backchannel", "echo").

    Args:
        vad: The analyser that the user aggregator listens with.
        english: Whether the caller speaks English. In another language no word is known for a
            backchannel: any that is no echo interrupts.
    """

    def __init__(self, vad: KeenVad, *, english: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mouth: Mouth | None = None
        self._vad = vad
        self._guard = BargeInGuard(english=english)
        self._echo = EchoGuess()
        self._busy = Busy()
        self._turn = _Turn()
        self._vad_speaks = False
        self._paused_at_ms = 0.0
        self._echo_at_ms = float("-inf")
        self._noted: deque[str] = deque(maxlen=_NOTED)
        """What was said beside the mouth's sentences since the last turn."""
        self._last_nod = LastNod()
        self._nod: TranscriptionFrame | None = None
        self._register_event_handler("on_false_alarm")

    def played(self, frame: OutputAudioRawFrame) -> None:
        """The bot's audio goes out."""
        self._echo.bot(frame.audio, frame.sample_rate, now_ms=clock.now_ms())

    def note_said(self, text: str) -> None:
        """The bot says something that is no part of a reply, like a filler."""
        self._noted.append(text)

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Look at a frame; `STOP` if the turn began with it."""
        now_ms = clock.now_ms()
        if isinstance(frame, InputAudioRawFrame):
            return await self._hear(frame, now_ms)
        self._follow(frame, now_ms)
        if self._turn.open:
            self._note(frame)
        elif isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            return await self._words(frame, now_ms)
        return ProcessFrameResult.CONTINUE

    async def handle_user_turn_started(self) -> None:
        """Nothing is guarded until it is over."""
        self._turn = _Turn(open=True)
        self._guard.clear()
        self._busy.interrupted()
        self._noted.clear()
        self._last_nod.forget()
        self._nod = None
        await super().handle_user_turn_started()

    async def handle_user_turn_stopped(self) -> None:
        """The bot thinks."""
        now_ms = clock.now_ms()
        self._turn.open = False
        self._turn.ended_at_ms = now_ms
        self._busy.asked(now_ms)
        await super().handle_user_turn_stopped()

    def _follow(self, frame: Frame, now_ms: float) -> None:
        if isinstance(frame, BotStartedSpeakingFrame):
            self._busy.started()
            self._last_nod.forget()
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self._busy.stopped()
            self._last_nod.stopped(now_ms)
        elif isinstance(frame, FunctionCallsStartedFrame):
            self._busy.calls(len(frame.function_calls), now_ms)
        elif isinstance(frame, FunctionCallResultFrame | FunctionCallCancelFrame):
            self._busy.calls(-1, now_ms)
        elif isinstance(frame, VADUserStartedSpeakingFrame):
            self._vad_speaks = True
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._vad_speaks = False
        elif isinstance(frame, InterimTranscriptionFrame):
            self._guard.partials = True

    def _note(self, frame: Frame) -> None:
        """Remember the words of the open turn."""
        if isinstance(frame, TranscriptionFrame):
            self._turn.tail, self._turn.done = "", frame.text
        elif isinstance(frame, InterimTranscriptionFrame):
            self._turn.tail = frame.text

    async def _hear(self, frame: InputAudioRawFrame, now_ms: float) -> ProcessFrameResult:
        if self._turn.open:
            return ProcessFrameResult.CONTINUE
        self._echo.caller(frame.audio, frame.sample_rate, now_ms=now_ms)
        run = self._vad.run
        self._turn.voiced = self._turn.voiced or run.voiced_ms >= ONSET_MS
        if not self._busy.at(now_ms):
            if self._guard.paused:
                self._guard.clear()
                self._resume()
            return await self._idle(now_ms)
        # Most of the time nobody speaks over the bot, and there is nothing to compare.
        bot = self._bot() if run.voiced_ms or self._guard.paused else Bot()
        ruling = self._guard.voice(run.voiced_ms, run.quiet_ms, now_ms=now_ms, bot=bot)
        return await self._do(ruling, now_ms)

    async def _words(
        self, frame: TranscriptionFrame | InterimTranscriptionFrame, now_ms: float
    ) -> ProcessFrameResult:
        final = isinstance(frame, TranscriptionFrame)
        result = ProcessFrameResult.CONTINUE
        busy = self._busy.at(now_ms)
        if self._turn.late(frame.text, now_ms, busy=busy):
            pass
        elif busy:
            result = await self._words_over_it(frame, now_ms)
        elif final and plain(frame.text) and not self._was_echo(frame.text, now_ms):
            result = await self._begin()
        if result is ProcessFrameResult.STOP:
            self._note(frame)
        elif final:
            # A backchannel, an echo, or the turn before once more: no part of the next message.
            await self.trigger_reset_aggregation()
            self._turn.tail = ""
        return result

    async def _words_over_it(
        self, frame: TranscriptionFrame | InterimTranscriptionFrame, now_ms: float
    ) -> ProcessFrameResult:
        text, bot = self._turn.new(frame.text, now_ms), self._bot()
        final = isinstance(frame, TranscriptionFrame)
        if final and self._busy.speaking and self._guard.is_nod(text, bot):
            self._last_nod.heard(now_ms)
            self._nod = frame
        return await self._do(self._guard.words(text, now_ms=now_ms, bot=bot), now_ms)

    async def _idle(self, now_ms: float) -> ProcessFrameResult:
        """Nothing is guarded: begin with the caller's voice, or with what was their answer."""
        nod = self._nod if self._last_nod.answers(now_ms, goes_on=self._vad_speaks) else None
        if nod is None and not self._vad_speaks:
            return ProcessFrameResult.CONTINUE
        result = await self._begin()
        if nod:
            # It was dropped when it came.
            await self.push_frame(nod)
        return result

    def _was_echo(self, text: str, now_ms: float) -> bool:
        """Whether those are the bot's own words, told after its end."""
        said = (*self._noted, *(self.mouth.said() if self.mouth else ()))
        return now_ms - self._echo_at_ms <= LATE_MS and repeats(text, said, echo=False)

    async def _do(self, ruling: Ruling | None, now_ms: float) -> ProcessFrameResult:
        if ruling is None:
            return ProcessFrameResult.CONTINUE
        if ruling.act is Act.INTERRUPT:
            # The bot stays held until the interruption has gone through the line.
            return await self._begin()
        if ruling.act is Act.PAUSE:
            self._paused_at_ms = now_ms
            if self.mouth:
                self.mouth.pause()
            return ProcessFrameResult.CONTINUE
        self._resume()
        if ruling.why == "backchannel":
            self._last_nod.went_on(now_ms)
        held_ms = round(now_ms - self._paused_at_ms)
        await self._call_event_handler("on_false_alarm", held_ms, ruling.why)
        return ProcessFrameResult.CONTINUE

    def _resume(self) -> None:
        if self.mouth:
            self.mouth.resume()

    async def _begin(self) -> ProcessFrameResult:
        await self.trigger_user_turn_started()
        return ProcessFrameResult.STOP

    def _bot(self) -> Bot:
        """What is known of it while it is busy: a filler is heard before it speaks."""
        said = self.mouth.said() if self.mouth and self._busy.speaking else ()
        echo = self._echo.likely()
        if echo:
            self._echo_at_ms = clock.now_ms()
        return Bot(said=(*self._noted, *said), echo=echo)
