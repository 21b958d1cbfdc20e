from __future__ import annotations

import pytest
from pydantic import JsonValue, ValidationError

from errors import ConfigError
from providers.manifest import (
    HubSource,
    InstalledSource,
    NpmSource,
    PackageSource,
    PartsSource,
    Source,
    UrlSource,
    in_words,
    load_manifest,
)
from tests.support.weights import file_table, manifest

pytestmark = pytest.mark.unit

SPEAKERS = ("af_heart", "af_bella", "am_michael", "am_fenrir", "bf_emma", "bm_george")
HUB = {"hub": "owner/repo", "path": "a.bin", "revision": "abc"}


def test_the_shipped_list_holds_what_the_local_pipeline_names() -> None:
    files = {name: [f.name for f in spec.files] for name, spec in load_manifest().models.items()}
    assert files == {
        "moonshine-tiny-en": ["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"],
        "qwen2.5-coder-0.5b": ["model.gguf"],
        "qwen2.5-coder-1.5b": ["model.gguf"],
        "piper-en_US-joe-medium": ["voice.onnx", "voice.onnx.json"],
        "kokoro-82m": ["model.onnx", *(f"{name}.bin" for name in SPEAKERS)],
        "whisper-cpp-tiny-en": ["model.bin"],
        "whisper-cpp-base-en": ["model.bin"],
    }


def test_each_shipped_file_has_its_own_hash_and_two_sources() -> None:
    files = [file for spec in load_manifest().models.values() for file in spec.files]
    assert len({file.sha256 for file in files}) == len(files)
    assert all(len(file.sources) >= 2 for file in files)


def test_a_nearly_right_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(
        ConfigError, match=r"qwen2\.5-coder-0\.5 .*Did you mean qwen2\.5-coder-0\.5b"
    ):
        load_manifest().spec("qwen2.5-coder-0.5 ")


def test_a_wild_name_is_answered_with_all_names() -> None:
    with pytest.raises(ConfigError, match="There are: moonshine-tiny-en, ") as caught:
        load_manifest().spec("zzz")
    assert caught.value.code == "unknown_model"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (InstalledSource(installed="a==1", path="x"), "installed package a==1"),
        (HubSource(hub="o/r", path="x", revision="1"), "hub o/r"),
        (NpmSource(npm="@o/a@1", path="x"), "npm package @o/a@1"),
        (UrlSource(url="https://example.com/x"), "https://example.com/x"),
        (PackageSource(package="a==1", path="x"), "package a==1"),
        (
            PartsSource.model_validate(
                {"parts": [{"package": "a==1", "path": "x"}, {"package": "b==2", "path": "y"}]}
            ),
            "2 packages, a==1 to b==2",
        ),
    ],
)
def test_a_source_says_what_it_is(source: Source, words: str) -> None:
    assert str(source) == words


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../model.bin"},
        {"name": ".hidden"},
        {"sha256": "abc"},
        {"size_bytes": 0},
        {"sources": []},
        {"sources": [{"hub": "owner", "path": "a", "revision": "1"}]},
        {"sources": [{"package": "--index-url=x", "path": "a"}]},
        {"sources": [{"package": "name>=1", "path": "a"}]},
        {"sources": [{"url": "ftp://example.com/x"}]},
        {"sources": [{"parts": [{"package": "a==1", "path": "x"}]}]},
        {"colour": "red"},
    ],
)
def test_a_wrong_table_is_refused(change: dict[str, JsonValue]) -> None:
    good = file_table("a.bin", b"abc", HUB)
    assert manifest(tiny=[good])
    with pytest.raises(ValidationError):
        manifest(tiny=[good | change])


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (4794, "4.79 kB"),
        (63_201_294, "63.2 MB"),
        (491_400_064, "491 MB"),
        (1_117_320_768, "1.12 GB"),
    ],
)
def test_sizes_are_said_as_people_say_them(size_bytes: int, words: str) -> None:
    assert in_words(size_bytes) == words
