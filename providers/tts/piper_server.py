"""The Piper sidecar: `python -m providers.tts.piper_server --port PORT --voice FOLDER`.

Piper is GPL; this process is the only one that loads it, and it is talked to over HTTP on
loopback. `GET /health` answers 200 once a first sentence has been synthesised.
`POST /synthesize {"text": ..., "speed": 1.0}` streams int16 LE mono PCM, a sentence as soon as it
is there, at the rate of the header `X-Sample-Rate`.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Take the port, load the voice, say a sentence to warm it up, and answer."""
    parser = argparse.ArgumentParser(description="Speak text with a Piper voice, over HTTP.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--voice", type=Path, required=True, help="a voice.onnx, or its folder")
    arguments = parser.parse_args()
    _end_with_parent()

    from providers.tts._piper_http import VoiceServer
    from providers.tts._piper_voice import PiperVoice, Request

    server = VoiceServer(arguments.port)
    voice = PiperVoice(_model(arguments.voice))
    for _ in voice.speak(Request(text="Hello, how can I help you today?", speed=1.0)):
        pass
    server.answer(voice)


def _end_with_parent() -> None:
    """Have the kernel end this process when the one that started it is gone."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise SystemExit(0)


def _model(voice: Path) -> Path:
    return voice / "voice.onnx" if voice.is_dir() else voice


if __name__ == "__main__":
    main()
