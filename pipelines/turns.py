"""When the caller's turn begins and ends: the strategies of one call, from the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
    from pipecat.turns.user_turn_strategies import UserTurnStrategies

    from pipelines.config import TurnConfig
    from processors.keen_vad import KeenVad
    from processors.speculation import Speculations
    from processors.stable_transcript import Rules

_LATER_SECS = 12.0
"""Smart-turn's own limit on silence, after which it forgets what it heard; ours, `patience_ms`, is
10 s at most."""


def strategies(
    turn: TurnConfig, vad: KeenVad, books: Speculations, *, language: str = "en"
) -> UserTurnStrategies:
    """The strategies of one call. Loads the smart-turn model: not for the event loop.

    Args:
        turn: From the pipeline's configuration.
        vad: The detector that the aggregator listens with.
        books: The call's books of early answers.
        language: What is spoken; words are looked at in English only.
    """
    from pipecat.turns.user_start import VADUserTurnStartStrategy
    from pipecat.turns.user_turn_strategies import (
        EagerUserTurnStrategies,
        ExternalUserTurnStrategies,
        UserTurnStrategies,
    )

    from processors.barge_in import BargeInStart
    from processors.stable_stop import StableStop

    if turn.commit == "provider":
        # The recogniser proposes where a turn begins (and interrupts the bot) and where it ends.
        return EagerUserTurnStrategies() if turn.speculate else ExternalUserTurnStrategies()
    english = language == "en"
    rules = _rules(turn, english=english)
    stop = StableStop(
        rules,
        vad=vad,
        analyzer=_smart_turn() if rules.vote else None,
        speculations=books if turn.speculate else None,
    )
    start = BargeInStart(vad, english=english) if turn.guard else VADUserTurnStartStrategy()
    return UserTurnStrategies(start=[start], stop=[stop])


def rehearse(turn: TurnConfig) -> None:
    """Load the models once, seconds that no caller should wait."""
    from processors.keen_vad import KeenVad
    from processors.speculation import Speculations

    strategies(turn, KeenVad(), Speculations())


def votes(turn: TurnConfig) -> bool:
    """Whether smart-turn listens to how a turn ends."""
    return turn.commit != "provider" and _rules(turn, english=True).vote


def _rules(turn: TurnConfig, *, english: bool) -> Rules:
    from processors.stable_transcript import Rules

    if turn.commit == "silence":
        return Rules(commit_ms=turn.silence_ms, vote=False, hold_ms=0)
    looks_at_words = turn.commit == "stable"
    return Rules(
        vote=turn.vote or not looks_at_words,
        patience_ms=turn.patience_ms,
        hold_ms=turn.hold_ms if looks_at_words and english else 0,
    )


def _smart_turn() -> BaseTurnAnalyzer:
    from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    return LocalSmartTurnAnalyzerV3(params=SmartTurnParams(stop_secs=_LATER_SECS))
