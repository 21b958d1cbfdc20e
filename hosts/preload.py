"""What every call's process shares: loaded once, before the first fork, without a thread.

Nothing here may start a thread, an event loop or a connection: a child would inherit the locks
and sockets, and nobody to serve them. So no `Daily.init()`, no Daily transport, no `enqueue` of
loguru's.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from loguru import logger

from bots.bot import bot_names, load_bot
from errors import MissingError, OffhookError
from hosts.holes import fill_holes
from hosts.large_pages import use_large_pages
from hosts.tls import share_contexts
from pipelines.config import PipelineConfig, is_installed
from providers.base import StageConfig, is_set
from providers.kinds import Preconnects, ReadsAhead
from records.logs import repeat

_MODULES = (
    *(
        "bots.call",
        "hosts.child",
        "pipelines.turns",
        "uvicorn",
        "uvloop",
        "websockets.asyncio.client",
    ),
    "pipecat.transports.smallwebrtc.transport",
    "pipecat.transports.websocket.fastapi",
)
_AT_FIRST_USE = {
    "anyio": ("anyio._backends._asyncio",),
    "cryptography": ("cryptography.hazmat.primitives.serialization",),
    "deepgram": ("deepgram.listen.client", "deepgram.listen.v1.client"),
    "numpy": ("numpy.fft", "numpy.random"),
}
"""Package, and what it imports when it is used: imported where the package was."""
_FRAME_SAMPLES = 960
"""20 ms at 48 kHz, as WebRTC has them."""


class _Stand:
    """A site without sidecars: what is built here is thrown away."""

    def __init__(self, weights: Mapping[str, Path]) -> None:
        self._weights = weights

    def weights(self, name: str) -> Path:
        if name not in self._weights:
            raise MissingError(f"The weights {name} are not on this machine.")
        return self._weights[name]

    def url(self, sidecar: str) -> str:
        return "http://127.0.0.1:9"


def preload(configs: Iterable[PipelineConfig], weights: Mapping[str, Path]) -> None:
    """Import what calls of these pipelines import, and run its lazy set-up: seconds.

    A stage that cannot be built here (a secret, a package or weights are absent) is left out.
    """
    share_sessions()
    share_contexts()
    for name in (*_MODULES, *_wanted()):
        _import(name)
    _rehearse_media()
    site = _Stand(weights)
    turns: Any = importlib.import_module("pipelines.turns")
    votes = False
    for config in configs:
        for stage in config.stages:
            _build(stage, site)
        turns.rehearse(config.turn)
        votes = votes or turns.votes(config.turn)
    _rehearse_models(votes=votes)
    for package in [name for name in _AT_FIRST_USE if name in sys.modules]:
        for name in _AT_FIRST_USE[package]:
            _import(name)
    _load_bots()
    repeat()
    gc.collect()
    # What is here stays: no collection in a child needs to touch, and so copy, its pages.
    gc.freeze()
    fill_holes()
    use_large_pages()


def threads() -> int:
    """Threads of this process, also those that Python knows nothing of."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - names alone


def rss_bytes() -> int:
    """Memory of this process, shared pages included."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError as error:
        logger.warning("{} is not loaded in advance: {}", name, error)


def _wanted() -> Iterator[str]:
    """Modules of the transports that callers can come by here."""
    if is_set("DAILY_API_KEY") and is_installed("daily"):
        yield "pipecat.transports.daily.transport"
    # The vendors that are simulated are without LiveKit.
    if os.environ.get("LIVEKIT_URL") and is_installed("livekit"):  # noqa: TID251
        yield "pipecat.transports.livekit.transport"


def _load_bots() -> None:
    """Read each bot, and import its tools."""
    for bot in bot_names():
        try:
            tools = [f"bots.{bot}.tools"] if load_bot(bot).has_tools else []
        except OffhookError as error:
            logger.warning("the bot {} is not loaded in advance: {}", bot, error.message)
            continue
        for name in tools:
            _import(name)


def _build(stage: StageConfig, site: _Stand) -> None:
    """Build the stage's service once: it imports its vendor's library and fills its caches."""
    build: Callable[[_Stand], object] = getattr(stage, "build")  # noqa: B009 - each kind has its own
    try:
        service = build(site)
        # Python looks through the service's classes the first time, and forgets for all classes
        # that have the same ones above them where it found which method: in a child it would write
        # to, and so copy, the page of each.
        for kind in (Preconnects, ReadsAhead):
            isinstance(service, kind)
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises, it is a rehearsal
        logger.info("{} is not built in advance: {}", stage.provider, error)


def _rehearse_media() -> None:
    """Codecs, certificates and resamplers, each once; and what uvicorn loads by name."""
    import numpy as np
    from aiortc import RTCCertificate
    from av.audio.resampler import AudioResampler

    RTCCertificate.generateCertificate()
    opus: Any = importlib.import_module("aiortc.codecs.opus")
    opus.OpusDecoder()
    opus.OpusEncoder()
    AudioResampler(format="s16", layout="mono", rate=16_000)
    soxr: Any = importlib.import_module("soxr")
    soxr.ResampleStream(48_000, 16_000, 1, dtype="int16").resample_chunk(
        np.zeros(_FRAME_SAMPLES, np.int16)
    )
    # The HTTP edge is not known here; a WebSocket's child serves one connection with it.
    uvicorn: Any = importlib.import_module("uvicorn")
    uvicorn.Config(_no_app, lifespan="off", log_config=None).load()


async def _no_app(scope: object, receive: object, send: object) -> None:
    """An application that nobody calls."""


def _rehearse_models(*, votes: bool) -> None:
    """Run each shared model once: the first run allocates what later ones use again.

    Args:
        votes: Whether smart-turn is needed.
    """
    import numpy as np

    silero: Any = importlib.import_module("pipecat.audio.vad.silero")
    vad = silero.SileroVADAnalyzer(sample_rate=16_000)
    vad.set_sample_rate(16_000)
    vad.voice_confidence(bytes(2 * vad.num_frames_required()))
    if not votes:
        return
    smart_turn: Any = importlib.import_module("pipecat.audio.turn.smart_turn.local_smart_turn_v3")
    analyzer = smart_turn.LocalSmartTurnAnalyzerV3()
    analyzer._predict_endpoint(np.zeros(16_000, np.float32))


def share_sessions() -> None:
    """From here on each ONNX model is loaded once a process, and its children share it.

    Only models on one thread (intra-op and inter-op both 1): others have threads, which a child
    does not inherit. A session holds no state between runs, and several may run it at once.
    """
    runtime: Any = importlib.import_module("onnxruntime")
    original: Any = runtime.InferenceSession
    if getattr(original, "shared", None) is not None:
        return

    class SharedSession(original):
        """An `InferenceSession` that is the same object for the same file and options."""

        shared: dict[Hashable, Any] = {}  # noqa: RUF012 - the cache

        def __new__(cls, model: Any, sess_options: Any = None, *rest: Any, **more: Any) -> Any:
            key = None if rest else _session_key(model, sess_options, more)
            found: Any = cls.shared.get(key) or object.__new__(cls)
            return found

        def __init__(self, model: Any, sess_options: Any = None, *rest: Any, **more: Any) -> None:
            key = None if rest else _session_key(model, sess_options, more)
            if key is not None and self.shared.get(key) is self:
                return
            super().__init__(model, sess_options, *rest, **more)
            if key is not None:
                self.shared[key] = self

    runtime.InferenceSession = SharedSession


def _session_key(model: Any, options: Any, more: dict[str, Any]) -> Hashable:
    """What makes two sessions equal; None if this one cannot be shared."""
    if options is None or set(more) - {"providers"} or not isinstance(model, str | Path):
        return None
    if (options.intra_op_num_threads, options.inter_op_num_threads) != (1, 1):
        return None
    found = Path(model).stat()
    plain = (name for name in dir(options) if name[0] != "_")
    told = tuple(
        (name, str(getattr(options, name))) for name in plain if not _is_call(options, name)
    )
    providers = tuple(str(provider) for provider in more.get("providers") or ())
    return (str(model), found.st_mtime_ns, found.st_size, providers, told)


def _is_call(options: Any, name: str) -> bool:
    return callable(getattr(options, name))
