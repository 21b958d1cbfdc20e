"""What a turn's end is decided from, moment by moment: voice, transcripts, smart-turn's verdicts.

The voice detector and smart-turn are the real ones, on the audio; the recogniser is modelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from evals.corpus import Utterance
from evals.prompts import PER_MS, RATE_HZ, Word, in_room
from records.gate import Samples, speech

if TYPE_CHECKING:
    from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer

    from processors.keen_vad import KeenVad

CHUNK_MS = 20
PARTIAL_EVERY_MS, PARTIAL_LAG_MS, FINAL_MS = 100, 120, 350
"""The fast profile of a streaming recogniser: partials, by how much they lag, and the final after
the end of speech; a pause of that length ends a stretch."""
VERDICT_MS = 60
"""From the voice detector's word to smart-turn's, which is busy for about that long."""
_LEAD_MS, _TAIL_MS = 300, 4500
"""Silence before the turn, and after it: enough for the slowest policy."""


@dataclass(frozen=True)
class Moment:
    """Something that is known from now on."""

    at_ms: float
    what: Literal["audio", "speaks", "silent", "vote", "partial", "final"]
    text: str = ""
    quiet_ms: float = 0.0
    """For how long it has been silent, by the detector's windows."""
    voiced_ms: float = 0.0
    complete: bool = False
    """Smart-turn's verdict."""


@dataclass(frozen=True)
class Turn:
    """A caller's turn as the machine gets to know it."""

    utterance: Utterance
    end_ms: float
    """When the caller's last word is over."""
    moments: tuple[Moment, ...]
    """In the order of time."""


@dataclass(frozen=True)
class Stretch:
    """Speech without a pause that ends a line, in ms, and its words."""

    start_ms: float
    end_ms: float
    words: tuple[Word, ...]


def turns(utterances: Sequence[Utterance]) -> list[Turn]:
    """Listen to every utterance, much faster than real time.

    Raises:
        MissingError: A package is not installed.
    """
    return asyncio.run(_turns(utterances))


def stretches(runs: Sequence[tuple[float, float]], words: Sequence[Word]) -> list[Stretch]:
    """Join speech over short pauses, and deal the words out: each to where it ends.

    Args:
        runs: From and to of each stretch of speech, in ms.
        words: All words, on the same clock.
    """
    bounds: list[list[float]] = []
    for start_ms, end_ms in runs:
        if bounds and start_ms - bounds[-1][1] < FINAL_MS:
            bounds[-1][1] = end_ms
        else:
            bounds.append([start_ms, end_ms])
    dealt: list[list[Word]] = [[] for _ in bounds]
    for word in words:
        middles = [(a[1] + b[0]) / 2 for a, b in pairwise(bounds)]
        dealt[sum(word.end_ms > middle for middle in middles)].append(word)
    return [Stretch(b[0], b[1], tuple(w)) for b, w in zip(bounds, dealt, strict=True)]


def transcripts(said: Sequence[Stretch], phase_ms: float = 0.0) -> list[Moment]:
    """What the recogniser tells of these stretches, and when."""
    told: list[Moment] = []
    for stretch in said:
        if not stretch.words:
            continue
        final_ms = stretch.end_ms + FINAL_MS
        at_ms = stretch.start_ms + phase_ms
        while at_ms < final_ms:
            heard = [w.text for w in stretch.words if w.end_ms <= at_ms - PARTIAL_LAG_MS]
            if heard:
                told.append(Moment(at_ms, "partial", " ".join(heard)))
            at_ms += PARTIAL_EVERY_MS
        told.append(Moment(final_ms, "final", " ".join(word.text for word in stretch.words)))
    return told


def in_order(moments: Sequence[Moment]) -> tuple[Moment, ...]:
    """By time; each transcript and verdict with the silence that the audio had before it."""
    ordered: list[Moment] = []
    quiet_ms = 0.0
    for moment in sorted(moments, key=lambda moment: moment.at_ms):
        if moment.what == "audio":
            quiet_ms = moment.quiet_ms
        knows = moment.what in ("audio", "silent")
        ordered.append(moment if knows else replace(moment, quiet_ms=quiet_ms))
    return tuple(ordered)


async def _turns(utterances: Sequence[Utterance]) -> list[Turn]:
    from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    # The fallback on silence is a policy's own.
    analyzer = LocalSmartTurnAnalyzerV3(params=SmartTurnParams(stop_secs=60))
    analyzer.set_sample_rate(RATE_HZ)
    made = [await _turn(utterance, n, analyzer) for n, utterance in enumerate(utterances)]
    await analyzer.cleanup()
    return made


async def _turn(utterance: Utterance, number: int, analyzer: BaseTurnAnalyzer) -> Turn:
    lead, tail = np.zeros(_LEAD_MS * PER_MS, np.int16), np.zeros(_TAIL_MS * PER_MS, np.int16)
    said = np.concatenate((lead, utterance.samples, tail))
    words = [Word(word.text, word.end_ms + _LEAD_MS) for word in utterance.words]
    runs = [(start / PER_MS, end / PER_MS) for start, end in speech(said, RATE_HZ)]
    told = transcripts(stretches(runs, words), phase_ms=number * 37 % PARTIAL_EVERY_MS)
    heard = await _listen(in_room(said), analyzer)
    return Turn(utterance, utterance.end_ms + _LEAD_MS, in_order([*told, *heard]))


async def _listen(samples: Samples, analyzer: BaseTurnAnalyzer) -> list[Moment]:
    """What the voice detector and smart-turn say of this audio."""
    from pipecat.audio.vad.vad_analyzer import VADParams, VADState

    from processors.keen_vad import KeenVad

    vad, params = KeenVad(), VADParams()
    vad.set_sample_rate(RATE_HZ)
    analyzer.clear()
    analyzer.update_vad_start_secs(params.start_secs)
    moments: list[Moment] = []
    speaking = False
    for at_ms, chunk in _chunks(samples):
        state = await vad.analyze_audio(chunk)
        analyzer.append_audio(chunk, speaking)
        moments.append(_audio(at_ms, vad))
        if not speaking and state is VADState.SPEAKING:
            speaking = True
            moments.append(Moment(at_ms, "speaks"))
        elif speaking and state is VADState.QUIET:
            speaking = False
            moments.append(Moment(at_ms, "silent", quiet_ms=params.stop_secs * 1000))
            moments.append(await _verdict(at_ms, analyzer))
    await vad.cleanup()
    return moments


async def _verdict(at_ms: float, analyzer: BaseTurnAnalyzer) -> Moment:
    from pipecat.audio.turn.base_turn_analyzer import EndOfTurnState

    state, _ = await analyzer.analyze_end_of_turn()
    return Moment(at_ms + VERDICT_MS, "vote", complete=state is EndOfTurnState.COMPLETE)


def _audio(at_ms: float, vad: KeenVad) -> Moment:
    return Moment(at_ms, "audio", quiet_ms=vad.run.quiet_ms, voiced_ms=vad.run.voiced_ms)


def _chunks(samples: Samples) -> Iterator[tuple[float, bytes]]:
    """Pieces as they come in, each with the time at its end."""
    size = CHUNK_MS * PER_MS
    for start in range(0, len(samples) - size + 1, size):
        yield (start + size) / PER_MS, samples[start : start + size].astype("<i2").tobytes()
