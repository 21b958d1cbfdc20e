"""A plain Pipecat bot, as its own examples build one: what Offhook is measured beside."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.services.cartesia.tts import CartesiaTTSService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.groq.llm import GroqLLMService
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner

from pipelines.transports import AUDIO_IN_HZ, AUDIO_OUT_HZ
from processors.recorder import CallerTap, Recorder
from providers.base import endpoint, secret
from records.recording import RecordingFile

_VOICE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"
_IDLE_SECS = 3600.0


async def run_baseline(
    transport: BaseTransport, *, prompt: str, greeting: str, audio: Path
) -> None:
    """Run one call with Pipecat's services and default turn strategies, until the caller leaves.

    Args:
        transport: The call.
        prompt: The system instruction.
        greeting: The first words, spoken as they stand.
        audio: Where the two tracks go.
    """
    line = await asyncio.to_thread(_line, transport, prompt, audio)
    worker = PipelineWorker(
        line,
        params=PipelineParams(
            audio_in_sample_rate=AUDIO_IN_HZ,
            audio_out_sample_rate=AUDIO_OUT_HZ,
            enable_metrics=True,
            enable_usage_metrics=True,
        ),
        idle_timeout_secs=_IDLE_SECS,
    )
    runner = WorkerRunner(handle_sigint=False)

    @transport.event_handler("on_client_connected")
    async def joined(_: BaseTransport, __: object) -> None:
        await worker.queue_frame(TTSSpeakFrame(greeting))

    @transport.event_handler("on_client_disconnected")
    async def left(_: BaseTransport, __: object) -> None:
        await runner.cancel()

    await runner.add_workers(worker)
    await runner.run()


def _line(transport: BaseTransport, prompt: str, audio: Path) -> Pipeline:
    """The processors. Blocks while the models load."""
    stt = DeepgramSTTService(
        api_key=secret("DEEPGRAM_API_KEY"), base_url=endpoint("deepgram", "wss://api.deepgram.com")
    )
    llm = GroqLLMService(
        api_key=secret("GROQ_API_KEY"),
        base_url=endpoint("groq", "https://api.groq.com/openai/v1"),
        settings=GroqLLMService.Settings(system_instruction=prompt),
    )
    tts = CartesiaTTSService(
        api_key=secret("CARTESIA_API_KEY"),
        url=endpoint("cartesia", "wss://api.cartesia.ai/tts/websocket"),
        settings=CartesiaTTSService.Settings(voice=_VOICE),
    )
    pair = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    recorder = Recorder(recording=RecordingFile(audio))
    return Pipeline(
        [
            transport.input(),
            stt,
            pair.user(),
            CallerTap(recorder),
            llm,
            tts,
            transport.output(),
            recorder,
            pair.assistant(),
        ]
    )
