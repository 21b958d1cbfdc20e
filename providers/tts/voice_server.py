"""A voice in a process of its own: `python -m providers.tts.voice_server ENGINE FOLDER --port N`.

Piper, and the phonemes of Kokoro, are GPL; these processes are the only ones that load them, and
they are talked to over HTTP on loopback. `GET /health` answers 200 once a first sentence has been
synthesised. `POST /synthesize {"text": ..., "speed": 1.0, "speaker": ""}` streams int16 LE mono
PCM, a sentence as soon as it is there, at the rate of the header `X-Sample-Rate`.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from providers.tts._voice_http import Voice


def main() -> None:
    """Take the port, load the voice, say a sentence to warm it up, and answer."""
    parser = argparse.ArgumentParser(description="Speak text over HTTP.")
    parser.add_argument("engine", choices=("kokoro", "piper"))
    parser.add_argument("folder", type=Path, help="the folder of the weights")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    _end_with_parent()

    from providers.tts._voice_http import Request, VoiceServer

    server = VoiceServer(arguments.port)
    voice = _load(arguments.engine, arguments.folder)
    for _ in voice.speak(Request(text="Hello, how can I help you today?")):
        pass
    server.answer(voice)


def _load(engine: str, folder: Path) -> Voice:
    if engine == "kokoro":
        from providers.tts._kokoro_voice import KokoroVoice

        return KokoroVoice(folder)
    from providers.tts._piper_voice import PiperVoice

    return PiperVoice(folder)


def _end_with_parent() -> None:
    """Have the kernel end this process when the one that started it is gone."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise SystemExit(0)


if __name__ == "__main__":
    main()
