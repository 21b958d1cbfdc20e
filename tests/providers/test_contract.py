"""What every provider promises. A new file in `providers/` is tested here without being named."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

import providers.llm
import providers.stt
import providers.tts
from errors import MissingError
from providers.base import PER_CALL, StageConfig, choices
from providers.kinds import LlmConfig, SttConfig, TtsConfig

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
KINDS = {
    "stt": (providers.stt, SttConfig),
    "llm": (providers.llm, LlmConfig),
    "tts": (providers.tts, TtsConfig),
}
NEVER_PER_CALL = r"url|key(?!terms)|path|host|port"
QUICK = ("pipecat", "openai", "deepgram", "anthropic", "google.genai", "onnxruntime", "numpy")


def _classes(kind: str) -> tuple[type[StageConfig], ...]:
    package, base = KINDS[kind]
    union: Any = choices(package, base)
    return get_args(get_args(union)[0])


def _all(*, away: bool = False) -> Iterator[Any]:
    """Every provider, or those `away` from this machine."""
    for kind in KINDS:
        for config in _classes(kind):
            if config.needs_network or not away:
                yield pytest.param(kind, config, id=f"{kind}-{_name(config)}")


def _module(requirement: str) -> str:
    """What is imported of a requirement's package."""
    package = re.split(r"[<>=~!\[; ]", requirement)[0]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["deptry"]
    return settings["package_module_name_map"].get(package, package)


def _name(config: type[StageConfig]) -> str:
    return str(config.model_fields["provider"].default)


each_provider = pytest.mark.parametrize(("kind", "config"), list(_all()))


@each_provider
def test_it_is_the_file_of_its_name(kind: str, config: type[StageConfig]) -> None:
    assert config.__module__ == f"providers.{kind}.{_name(config)}"


@each_provider
def test_it_is_frozen_and_refuses_what_it_does_not_know(
    kind: str, config: type[StageConfig]
) -> None:
    settings = config(provider=_name(config))
    with pytest.raises(ValidationError):
        settings.provider = "other"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValidationError):
        config.model_validate({"provider": _name(config), "no_such_setting": 1})


@each_provider
def test_it_has_a_row_in_the_docs(kind: str, config: type[StageConfig]) -> None:
    tables = (ROOT / "docs" / "providers.md").read_text("utf-8")
    row = f"| {kind} | `{_name(config)}` |"
    assert row in tables
    if _name(config) != "simulated":
        tested = tables.rpartition(row)[2].splitlines()[0]
        named = re.search(r"`(tests/[\w/]+\.py)`", tested)
        assert named, "the table of what was tested names no test of its protocol"
        assert (ROOT / named[1]).is_file()


@each_provider
def test_each_setting_says_what_it_is(kind: str, config: type[StageConfig]) -> None:
    assert config.__doc__
    assert [name for name in _own(config) if name not in _documented(config)] == []


@each_provider
def test_each_number_has_a_range(kind: str, config: type[StageConfig]) -> None:
    numbers = {name: info for name, info in _own(config).items() if _is_number(info)}
    assert [name for name, info in numbers.items() if len(_bounds(info)) < 2] == []


@each_provider
def test_no_address_key_or_path_can_be_set_by_a_caller(
    kind: str, config: type[StageConfig]
) -> None:
    open_to_callers = [name for name, info in _own(config).items() if PER_CALL in info.metadata]
    assert [name for name in open_to_callers if re.search(NEVER_PER_CALL, name)] == []


@each_provider
def test_an_extra_brings_its_packages(kind: str, config: type[StageConfig]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert bool(config.extra) == bool(config.packages)
    if config.extra:
        brought = {_module(package) for package in project["optional-dependencies"][config.extra]}
        assert {name.partition(".")[0] for name in config.packages} <= brought


@pytest.mark.parametrize(("kind", "config"), list(_all(away=True)))
def test_a_vendor_is_reached_by_an_address_that_can_be_changed(
    kind: str, config: type[StageConfig]
) -> None:
    assert "base_url" in config.model_fields
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", name) for name in config.env)


@each_provider
def test_it_builds_with_its_secrets_and_names_the_one_that_is_missing(
    kind: str, config: type[StageConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Any = config(provider=_name(config))
    if settings.weights() or settings.sidecars(_Nowhere()):
        pytest.skip("needs weights; built by its own tests")
    if missing := [name for name in settings.packages if find_spec(name) is None]:
        pytest.skip(f"needs {', '.join(missing)}: the extra {settings.extra}")
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    for name in settings.env:
        monkeypatch.delenv(name, raising=False)
    for name in settings.env:
        with pytest.raises(MissingError, match=name):
            settings.build(_Nowhere())
        monkeypatch.setenv(name, f"dummy-of-{name.lower()}")
    assert settings.build(_Nowhere())


@pytest.mark.parametrize("kind", KINDS)
def test_reading_the_settings_loads_no_sdk(kind: str) -> None:
    modules = sorted(config.__module__ for config in _classes(kind))
    script = (
        f"import sys, {', '.join(modules)}\n"
        f"print('loaded:', *[name for name in {QUICK!r} if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "loaded:"


class _Nowhere:
    """A site without weights and sidecars."""

    def weights(self, name: str) -> Path:
        return Path("weights") / name

    def url(self, sidecar: str) -> str:
        raise AssertionError(f"{sidecar} was never started")


def _own(config: type[StageConfig]) -> dict[str, FieldInfo]:
    return {name: info for name, info in config.model_fields.items() if name != "provider"}


def _documented(config: type[StageConfig]) -> set[str]:
    """Fields of the class, or of its bases in this project, with a string below them."""
    found: set[str] = set()
    for base in config.__mro__:
        if not base.__module__.startswith("providers."):
            continue
        body = ast.parse(inspect.getsource(base)).body[0]
        assert isinstance(body, ast.ClassDef)
        for node, after in zip(body.body, body.body[1:], strict=False):
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if told and isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return found


def _is_number(info: FieldInfo) -> bool:
    types = get_args(info.annotation) if _is_union(info.annotation) else (info.annotation,)
    return any(one in (int, float) for one in types)


def _is_union(annotation: Any) -> bool:
    return isinstance(annotation, UnionType) or str(annotation).startswith("typing.Union")


def _bounds(info: FieldInfo) -> list[str]:
    names = ("ge", "gt", "le", "lt")
    return [
        name for data in info.metadata for name in names if getattr(data, name, None) is not None
    ]
