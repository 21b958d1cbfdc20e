"""What is loaded before the first fork: without a thread, once, for all children."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import pytest
from pipecat.audio.vad.silero import SileroOnnxModel

from hosts.preload import rss_bytes, share_sessions, threads
from hosts.rundir import call_socket
from pipelines.config import PipelineConfig, preset_names, resolve
from providers.base import VENDORS
from providers.models import ModelStore
from tests.support.forked import open_files
from tests.support.forking import Server, Talk, short_run, tasks

pytestmark = pytest.mark.integration

runtime: Any = onnxruntime
KEYS = ("ANTHROPIC_API_KEY", "CARTESIA_API_KEY", "DEEPGRAM_API_KEY", "GROQ_API_KEY")
SILERO = Path(str(runtime.__file__)).parents[1] / "pipecat/audio/vad/data/silero_vad.onnx"


_ASKED = """
import ctypes
from typing import Generic
from hosts import preload
from pipelines.config import resolve
from processors.recorder import CallerTap
from providers.kinds import Preconnects, ReadsAhead

llm = resolve("cloud").llm
preload._build(llm, preload._Stand({}))
service = llm.build(preload._Stand({}))
for kind in (Preconnects, ReadsAhead):
    for cls in (CallerTap, Generic):
        getattr(cls, "__module__")
        isinstance(service, kind)
        # Py_TPFLAGS_VALID_VERSION_TAG of tp_flags, 168 bytes into a type.
        flags = ctypes.c_uint64.from_address(id(cls) + 168).value
        print("valid" if flags >> 19 & 1 else "forgotten")
"""


def weights(*configs: PipelineConfig) -> dict[str, str]:
    """Those that are on this machine."""
    store = ModelStore(env=os.environ)
    names = {name for config in configs for stage in config.stages for name in stage.weights()}
    return {name: str(store.weights(name)) for name in names if not store.missing([name])}


def one_thread_before_and_after(configs: list[PipelineConfig], look_for: set[str]) -> None:
    with short_run() as run, Server(run) as server, server.talk() as talk:
        pid = server.process.pid
        assert talk.get("status")["threads"] == tasks(pid) == 1
        tables = [config.model_dump(mode="json") for config in configs]
        for _ in range(2):
            told = talk.get("prepare", configs=tables, weights=weights(*configs))
            assert told["threads"] == tasks(pid) == 1
            assert told["rss_bytes"] > 50_000_000
        files = open_files(pid).values()
        assert not [path for path in files if "eventpoll" in path or path.endswith(".db")]
        server.fork(talk, "looks")
        with Talk(call_socket(run, "looks")) as child:
            seen = child.get("look", modules=sorted(look_for))
        assert (set(seen["loaded"]), seen["threads"]) == (look_for, 1)
        assert tasks(pid) == 1


@pytest.mark.parametrize("preset", ["cloud", "local"])
def test_a_shipped_pipeline_loads_without_a_thread_or_a_loop(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "a-key-of-no-account")
    config = resolve(preset)
    lacking = ModelStore(env=os.environ).missing(
        n for stage in config.stages for n in stage.weights()
    )
    if lacking:
        pytest.skip(" ".join(lacking))
    vendors = {
        # With what they import when they are used: in a child that is a caller's time.
        "cloud": {"deepgram.listen.v1.client", "openai.resources.chat"},
        "local": {"moonshine_voice"},
    }[preset]
    ours = {"bots.call", "bots.receptionist.tools", "hosts.child", "numpy.random", "uvloop"}
    one_thread_before_and_after([config], {*ours, *vendors})


@pytest.mark.parametrize(
    ("daily", "livekit"), [("", ""), ("", "ws://127.0.0.1:9"), ("a-key-of-no-account", "")]
)
def test_a_transport_that_nobody_can_come_by_is_not_loaded(
    daily: str, livekit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VENDORS, raising=False)
    monkeypatch.setenv("DAILY_API_KEY", daily)
    monkeypatch.setenv("LIVEKIT_URL", livekit)
    with short_run() as run, Server(run) as server, server.talk() as talk:
        table = resolve("simulated").model_dump(mode="json")
        assert talk.get("prepare", configs=[table], weights={})["threads"] == 1
        server.fork(talk, "looks")
        with Talk(call_socket(run, "looks")) as child:
            seen = child.get("look", modules=["daily", "livekit.rtc"])
    assert seen["loaded"] == ["daily"] * bool(daily) + ["livekit.rtc"] * bool(livekit)
    assert seen["threads"] == 1


def test_a_child_need_not_ask_again_what_a_service_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "a-key-of-no-account")
    ran = subprocess.run(
        [sys.executable, "-c", _ASKED],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == ["valid"] * 4


def test_all_pipelines_together_load_without_a_thread_also_without_keys_and_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    one_thread_before_and_after([resolve(name) for name in preset_names()], {"bots.call"})


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`InferenceSession` as `share_sessions` leaves it."""
    monkeypatch.setattr(runtime, "InferenceSession", runtime.InferenceSession)
    share_sessions()
    return runtime.InferenceSession


def options(*, intra: int = 1, inter: int = 1) -> Any:
    made = runtime.SessionOptions()
    made.intra_op_num_threads = intra
    made.inter_op_num_threads = inter
    return made


def test_equal_single_threaded_sessions_are_one(shared: Callable[..., Any]) -> None:
    first = shared(str(SILERO), sess_options=options(), providers=["CPUExecutionProvider"])
    again = shared(str(SILERO), sess_options=options(), providers=["CPUExecutionProvider"])
    assert first is again
    assert isinstance(first, runtime.InferenceSession)
    assert len(first.get_inputs()) == 3
    share_sessions()
    assert runtime.InferenceSession is shared
    # Pipecat makes them so; each analyzer's state is its own.
    one: Any = SileroOnnxModel(str(SILERO))
    two: Any = SileroOnnxModel(str(SILERO))
    assert one.session is two.session
    assert one._state is not two._state


@pytest.mark.parametrize(
    ("model", "threads_of"),
    [
        pytest.param(str(SILERO), {}, id="threads by default"),
        pytest.param(str(SILERO), {"intra": 2}, id="two threads within"),
        pytest.param(str(SILERO), {"inter": 2}, id="two threads between"),
        pytest.param(SILERO.read_bytes(), {"intra": 1}, id="bytes"),
    ],
)
def test_others_are_each_their_own(
    shared: Callable[..., Any], model: object, threads_of: dict[str, int]
) -> None:
    given = {"sess_options": options(**threads_of)} if threads_of else {}
    first, second = shared(model, **given), shared(model, **given)
    assert first is not second
    assert len(first.get_inputs()) == len(second.get_inputs()) == 3


def test_sessions_of_other_options_or_another_file_are_not_mixed_up(
    shared: Callable[..., Any], tmp_path: Path
) -> None:
    plain = shared(str(SILERO), sess_options=options())
    careful = options()
    careful.enable_mem_pattern = False
    assert shared(str(SILERO), sess_options=careful) is not plain
    copy = tmp_path / "silero.onnx"
    copy.write_bytes(SILERO.read_bytes())
    assert shared(str(copy), sess_options=options()) is not plain
    with pytest.raises(FileNotFoundError):
        shared(str(tmp_path / "absent.onnx"), sess_options=options())


def test_it_counts_its_own_threads_and_memory() -> None:
    assert threads() >= 1
    assert rss_bytes() > 10_000_000
