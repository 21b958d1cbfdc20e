"""When the caller's turn begins and ends: Pipecat's strategies, from the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipecat.turns.user_stop import BaseUserTurnStopStrategy
    from pipecat.turns.user_turn_strategies import UserTurnStrategies

    from pipelines.config import TurnConfig


def strategies(turn: TurnConfig) -> UserTurnStrategies:
    """The strategies of one call. Loads the smart-turn model: not for the event loop."""
    from pipecat.turns.user_start import VADUserTurnStartStrategy
    from pipecat.turns.user_turn_strategies import (
        EagerUserTurnStrategies,
        ExternalUserTurnStrategies,
        UserTurnStrategies,
    )

    if turn.commit == "provider":
        # The recogniser proposes where a turn begins (and interrupts the bot) and where it ends.
        return EagerUserTurnStrategies() if turn.speculate else ExternalUserTurnStrategies()
    return UserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[_stop(turn)])


def _stop(turn: TurnConfig) -> BaseUserTurnStopStrategy:
    from pipecat.turns.user_stop import (
        SpeechTimeoutUserTurnStopStrategy,
        TurnAnalyzerUserTurnStopStrategy,
    )

    from processors.eager import EagerSilenceStop, EagerSmartTurnStop

    if turn.commit == "silence":
        silence = EagerSilenceStop if turn.speculate else SpeechTimeoutUserTurnStopStrategy
        return silence(user_speech_timeout=turn.silence_ms / 1000)
    from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    analyzer = LocalSmartTurnAnalyzerV3(params=SmartTurnParams(stop_secs=turn.patience_ms / 1000))
    smart = EagerSmartTurnStop if turn.speculate else TurnAnalyzerUserTurnStopStrategy
    return smart(turn_analyzer=analyzer)
