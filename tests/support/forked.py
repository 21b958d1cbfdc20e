"""A call's process that tells what it is and has, instead of taking a call."""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import signal
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hosts.packet import accept, close_fds, receive_blocking, send_blocking

ALONE_SECS = 0.3
LIFE_SECS = 120
"""After which it ends whatever happens: a test that fails leaves nobody behind."""


def open_files(pid: int | str = "self") -> dict[int, str]:
    """What a process has open."""
    found: dict[int, str] = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(path.name)] = str(path.readlink())
        except FileNotFoundError:
            continue  # What the listing itself was read through.
    return found


def hear(clip: Path) -> dict[str, Any]:
    """What the shared models make of human speech and of silence after it."""
    import numpy as np
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    from pipelines.headless import read_speech
    from processors.keen_vad import KeenVad

    runtime: Any = onnxruntime
    sessions: dict[object, Any] = getattr(runtime.InferenceSession, "shared", {})
    inherited = len(sessions)
    vad = KeenVad()
    vad.set_sample_rate(16_000)
    window = vad.num_frames_required() * 2
    speech = read_speech(clip)
    starts = range(0, len(speech) - window, window)
    confidences = [vad.voice_confidence(speech[at : at + window]) for at in starts]
    turn: Any = LocalSmartTurnAnalyzerV3()
    samples = np.frombuffer(speech, "<i2").astype(np.float32) / 32768
    whole = turn._predict_endpoint(samples)
    cut = turn._predict_endpoint(samples[: len(samples) // 2])
    return {
        "inherited": inherited,
        "made": len(sessions) - inherited,
        "voiced": sum(confidence > 0.7 for confidence in confidences) / len(confidences),
        "silence": vad.voice_confidence(bytes(window)),
        "whole": float(whole["probability"]),
        "cut": float(cut["probability"]),
    }


def look(modules: Iterable[str]) -> dict[str, Any]:
    """What a child was given and what it was not."""
    import numpy as np

    return {
        "fds": {str(number): target for number, target in open_files().items()},
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "session": os.getsid(0),
        "parent": os.getppid(),
        "signals": [signal.getsignal(n) == signal.SIG_DFL for n in (2, 15, 17)],
        "wakeup": signal.set_wakeup_fd(-1),
        "random": [random.random(), float(np.random.random())],
        "loaded": sorted(set(modules) & set(sys.modules)),
    }


class _Server:
    def __init__(self, listener: socket.socket, facts: Mapping[str, Any]) -> None:
        self._facts = dict(facts)
        self._poll = selectors.DefaultSelector()
        self._poll.register(listener, selectors.EVENT_READ)
        self._listener = listener
        self._clients: set[socket.socket] = set()

    def serve(self) -> None:
        while True:
            alone = not self._clients and self._facts["stage"] == "warm"
            ready = self._poll.select(ALONE_SECS if alone else None)
            if alone and not ready:
                return
            for key, _ in ready:
                self._turn(key.fileobj)

    def _turn(self, sock: Any) -> None:
        if sock is self._listener:
            if client := accept(sock):
                self._clients.add(client)
                self._poll.register(client, selectors.EVENT_READ)
            return
        received = receive_blocking(sock)
        if received is None:
            self._poll.unregister(sock)
            self._clients.discard(sock)
            sock.close()
            return
        request, fds = received
        close_fds(fds)
        if "id" in request:
            answer = self._do(request)
            with contextlib.suppress(BrokenPipeError):
                send_blocking(sock, {"id": request["id"], "ok": answer})
        if request["op"] == "prebuild":
            told = request["site"].get("tells", "warm")
            send_blocking(sock, {"op": told} if told else {"op": "pulse"})
        if request["op"] == "end":
            send_blocking(sock, {"op": "ended", "reason": "idle"})
            sys.exit(request.get("status", 0))

    def _do(self, request: Mapping[str, Any]) -> dict[str, Any]:
        match request["op"]:
            case "begin":
                self._facts["stage"] = "calling"
                return {}
            case "look":
                return look(request.get("modules", ()))
            case "hear":
                return hear(Path(request["clip"]))
            case "fail":
                raise RuntimeError("the child fails as it is told")
            case _:
                return self._facts


def main(listener: socket.socket, *, name: str, run: Path, log_level: str) -> None:
    """Serve until told otherwise, or until nobody is connected."""
    signal.alarm(LIFE_SECS)
    facts = {"name": name, "pid": os.getpid(), "run": str(run), "level": log_level, "stage": "warm"}
    _Server(listener, facts).serve()


def at_once(listener: socket.socket, *, name: str, run: Path, log_level: str) -> None:
    """A child that ends before anybody can talk with it."""
    listener.close()
