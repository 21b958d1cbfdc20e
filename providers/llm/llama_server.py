"""The sidecar `python -m providers.llm.llama_server`: llama.cpp's HTTP server on loopback."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_CACHED_PROMPTS_MIB = 512
"""Memory for the openings and talks that are not in a slot just now."""
_QUIET = 1


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    arguments = _parser().parse_args()
    _die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    server = _server(arguments)
    threading.Event().wait()
    del server


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="llama_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--ctx", type=int, default=4096, help="tokens of each conversation")
    parser.add_argument("--parallel", type=int, default=1, help="conversations at the same time")
    parser.add_argument("--prompts", type=Path, help="folder for prompts that were read")
    return parser


def _server(arguments: argparse.Namespace) -> object:
    """Load the model and start the server's threads; `/health` answers 503 until it is ready."""
    import xllamacpp  # pyright: ignore[reportMissingTypeStubs]

    llama: Any = xllamacpp
    if not arguments.model.is_file():
        raise SystemExit(f"There is no model file {arguments.model}.")
    params = llama.CommonParams()
    params.model.path = str(arguments.model)
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.n_ctx = arguments.ctx * arguments.parallel
    params.n_parallel = arguments.parallel
    params.cache_ram_mib = _CACHED_PROMPTS_MIB
    # A conversation that ends with the bot's words is read as it stands, not continued.
    params.prefill_assistant = False
    params.cors_origins = ""
    params.ui = False
    if arguments.prompts:
        arguments.prompts.mkdir(parents=True, exist_ok=True)
        params.slot_save_path = f"{arguments.prompts}/"
    params.fit_params = False
    params.verbosity = _QUIET
    for cpu in (params.cpuparams, params.cpuparams_batch):
        # One core is left to the call: threads that meet at every layer stall each other when
        # one of them is preempted, and polling takes the core from whoever preempts.
        cpu.n_threads = max(1, _cores() - 1)
        cpu.poll = 0
    return llama.Server(params)


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _die_with_parent() -> None:
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit("The parent is gone.")


if __name__ == "__main__":
    main()
