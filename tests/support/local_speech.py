"""The real recogniser and the real voice, where their weights are on this machine."""

from __future__ import annotations

import os
import wave
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from errors import MissingError
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from providers.base import StageConfig
from providers.models import ModelStore

TEST_DATA = Path("/usr/share/pocketsphinx/test/data")


def weights(stage: StageConfig) -> Path:
    """Folder of the stage's weights; skips the test where they are absent."""
    (name,) = stage.weights()
    try:
        return ModelStore(env=os.environ).weights(name)
    except MissingError as error:
        pytest.skip(error.message)


@asynccontextmanager
async def site_for(*stages: StageConfig) -> AsyncGenerator[LocalSite]:
    """A site with the weights and the processes of these stages."""
    for stage in stages:
        weights(stage)
    async with Sidecars() as sidecars:
        site = LocalSite(ModelStore(env=os.environ), sidecars)
        for stage in stages:
            for sidecar in stage.sidecars(site):
                await sidecars.start(sidecar)
        yield site


def human_clips(folder: str, transcription: str) -> list[tuple[str, bytes]]:
    """Human speech and its words: 16 kHz mono int16."""
    clips: list[tuple[str, bytes]] = []
    for line in (TEST_DATA / folder / transcription).read_text("utf-8").splitlines():
        words, _, name = line.strip().rstrip(")").rpartition("(")
        with wave.open(str(TEST_DATA / folder / f"{name}.wav")) as clip:
            audio = clip.readframes(clip.getnframes())
        text = (
            words.replace("<s>", "").replace("</s>", "").replace("more a amiable", "more amiable")
        )
        clips.append((text.strip(), audio))
    return clips


def quiet(secs: float, *, seed: int = 0) -> bytes:
    """The hiss of a still room, 70 dB below full scale, 16 kHz."""
    noise = np.random.default_rng(seed).normal(0, 10, round(secs * 16_000))
    return noise.astype("<i2").tobytes()


def word_errors(reference: str, heard: str) -> tuple[int, int]:
    """Words wrong, missing or too many, and words in all."""
    wanted, got = _words(reference), _words(heard)
    row = list(range(len(got) + 1))
    for index, word in enumerate(wanted, 1):
        above, row[0] = row[:], index
        for column, other in enumerate(got, 1):
            change = above[column - 1] + (word != other)
            row[column] = min(above[column] + 1, row[column - 1] + 1, change)
    return row[-1], len(wanted)


_SPELLED = {"mr": "mister", "dr": "doctor", "5": "five", "9": "nine", "10": "ten", "8": "eight"}


def _words(text: str) -> list[str]:
    plain = "".join(c if c.isalnum() else " " for c in text.lower().replace("'", ""))
    return [_SPELLED.get(word, word) for word in plain.split()]
