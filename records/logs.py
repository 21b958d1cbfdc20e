"""One line an event on standard error; the words of a call stay out of it."""

from __future__ import annotations

import logging
import sys

from loguru import logger

from records.redact import redact

_FORMAT = "{time:HH:mm:ss.SSS} {level: <7} {extra[call_id]} {name}: {message}"
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR")


class _ToLoguru(logging.Handler):
    """Hands the standard library's records to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(depth=6, exception=record.exc_info).log(record.levelname, record.getMessage())


def _write(line: str) -> None:
    sys.stderr.write(redact(line))
    sys.stderr.flush()


def configure(level: str) -> None:
    """Log to standard error at `level`; INFO if there is no such level.

    Libraries are heard from WARNING on: at INFO some of them log what was said.
    """
    level = level.upper() if level.upper() in _LEVELS else "INFO"
    libraries = level if level in ("TRACE", "DEBUG") else "WARNING"
    logger.remove()
    logger.configure(extra={"call_id": "-"})
    logger.add(
        _write,
        format=_FORMAT,
        level=level,
        filter={
            "": level,
            "pipecat": libraries,
            # It warns of each frame that its protocol has no word for.
            "pipecat.serializers.protobuf": "DEBUG" if level in ("TRACE", "DEBUG") else "ERROR",
            # It warns of each camera that a voice call does not have.
            "pipecat.transports.smallwebrtc": "DEBUG" if level in ("TRACE", "DEBUG") else "ERROR",
        },
        diagnose=False,
        colorize=sys.stderr.isatty(),
    )
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.INFO, force=True)
    for noisy in (
        "uvicorn",
        "httpx",
        "httpx2",
        "httpcore",
        "aiortc",
        "aioice",
        "openai",
        "websockets",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
