"""A pipeline's configuration: TOML in, a frozen model out, every mistake named by its field."""

from __future__ import annotations

import copy
import difflib
import functools
import importlib.util
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

import providers.llm
import providers.stt
import providers.tts
from errors import ConfigError, NotFoundError
from providers.base import PER_CALL, PerCall, StageConfig, choices, is_set, own_server
from providers.kinds import LlmConfig, SttConfig, TtsConfig
from providers.reach import answers

if TYPE_CHECKING:
    _Stt = SttConfig
    _Llm = LlmConfig
    _Tts = TtsConfig
else:
    _Stt = choices(providers.stt, SttConfig)
    _Llm = choices(providers.llm, LlmConfig)
    _Tts = choices(providers.tts, TtsConfig)

PRESETS = Path(__file__).parent / "presets"
DEFAULT_PRESET = "local"
_KEPT = 64
"""Files that are not read again as long as they stay as they are."""
_FOUND: set[str] = set()
"""Packages that are here."""
_SHOWN_CHARS = 200
"""Of what was given; an error says no more of it."""


class TurnConfig(BaseModel):
    """When the caller's turn is over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: Literal["stable", "smart_turn", "silence", "provider"] = "stable"
    """`stable`: the words are final, do not look unfinished, and smart-turn agrees; `smart_turn`: a
    model listens to how the sentence ends; `silence`: a fixed pause; `provider`: the recogniser
    says so itself (Deepgram Flux)."""
    vote: PerCall[bool] = True
    """Whether smart-turn must agree where `commit` is `stable`."""
    patience_ms: PerCall[int] = Field(default=1000, ge=300, le=10_000)
    """Silence after which the turn ends even though smart-turn expects more words."""
    hold_ms: PerCall[int] = Field(default=1500, ge=0, le=10_000)
    """The same where `commit` is `stable` and the words look unfinished: an "and" at the end, a
    number or a name being spelled. 0 ignores the words."""
    silence_ms: PerCall[int] = Field(default=600, ge=200, le=5_000)
    """The pause that ends a turn where `commit` is `silence`."""
    speculate: PerCall[bool] = True
    """Start the answer on a transcript that looks finished, before the turn is confirmed."""
    speculate_voice: PerCall[bool] = True
    """Start its voice as well, where that is expected to gain something."""
    regret_ratio: PerCall[float] = Field(default=1.6, ge=1, le=10)
    """How much may be generated for each part that is used, before answers are no longer started
    early."""
    guard: PerCall[bool] = True
    """Whether a cough, an "uh-huh" or the bot's own echo may only make the bot pause."""
    filler: PerCall[bool] = True
    """Whether the bot's fillers are played where an answer is late."""


class PipelineConfig(BaseModel):
    """One call's pipeline, complete and checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    summary: str = Field(max_length=200)
    slots: int = Field(default=1, ge=1, le=1000)
    """How much of a host one call takes; a host has 4 slots a core unless told otherwise."""
    turn: TurnConfig = TurnConfig()
    stt: _Stt
    llm: _Llm
    tts: _Tts

    @model_validator(mode="after")
    def _someone_ends_turns(self) -> PipelineConfig:
        if self.turn.commit == "provider" and not self.stt.ends_turns:
            raise ValueError(
                f"turn.commit is 'provider', and {self.stt.provider} does not say when a turn is "
                "over; use 'smart_turn' or 'silence'"
            )
        return self

    @property
    def stages(self) -> tuple[StageConfig, StageConfig, StageConfig]:
        """The three stages that a vendor provides."""
        return (self.stt, self.llm, self.tts)


def preset_names() -> list[str]:
    """Names of the presets that ship here, the default first."""
    names = sorted(path.stem for path in PRESETS.glob("*.toml"))
    return sorted(names, key=lambda name: name != DEFAULT_PRESET)


def load_preset(name: str) -> dict[str, Any]:
    """Read the preset `name` as a table.

    Raises:
        NotFoundError: No such preset; the message offers the nearest name.
    """
    check_name(name, preset_names())
    return read_toml(PRESETS / f"{name}.toml")


def check_name(name: str, known: list[str]) -> None:
    """Refuse the name of a pipeline that is none of `known`.

    Raises:
        NotFoundError: The message offers the nearest name.
    """
    if name not in known:
        raise NotFoundError(
            f"There is no pipeline {name!r}{nearest(name, known)}. "
            f"The pipelines here are: {', '.join(known)}.",
            code="unknown_pipeline",
            field="pipeline",
        )


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file as a table whose `name` defaults to the file's stem.

    Raises:
        ConfigError: The file cannot be read or is not TOML; the message names it.
    """
    return copy.deepcopy(_read(path, file_stamp(path)))


def file_stamp(path: Path) -> tuple[int, ...] | None:
    """What changes when the file does; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


@functools.lru_cache(maxsize=_KEPT)
def _read(path: Path, _stamp: tuple[int, ...] | None) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", code="unreadable") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", code="not_toml") from error
    return {"name": path.stem} | table


def resolve(
    preset: str | Path,
    *,
    defaults: Mapping[str, Any] | None = None,
    overrides: Mapping[str, JsonValue] | None = None,
) -> PipelineConfig:
    """Make the configuration of one call.

    Args:
        preset: Name of a shipped preset, or (from the command line only) a TOML file.
        defaults: What the bot asks for, laid over the preset (`{"turn": {...}}`).
        overrides: What the caller of the API asks for, laid over both; only fields marked
            `PerCall` may appear.

    Raises:
        ConfigError: Something in it cannot be used; `field` is its TOML path.
        NotFoundError: No preset of that name.
    """
    table = read_toml(preset) if isinstance(preset, Path) else load_preset(preset)
    table = merge(table, defaults or {})
    config = parse(table)
    if not overrides:
        return config
    for field, value in _leaves(overrides):
        _check_per_call(config, field, value)
    return parse(merge(table, overrides))


def parse(table: Mapping[str, Any]) -> PipelineConfig:
    """Validate a whole table.

    Raises:
        ConfigError: The first thing that is wrong, with its TOML path and the nearest spelling.
    """
    try:
        return PipelineConfig.model_validate(table)
    except ValidationError as error:
        raise _config_error(error.errors(include_url=False)[0], table) from error


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `over` on `base`, table by table; naming another provider replaces the stage."""
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _merge_value(merged.get(key), value)
    return merged


def _merge_value(below: Any, value: Any) -> Any:
    if not (isinstance(value, Mapping) and isinstance(below, Mapping)):
        return cast(Any, value)
    over, base = cast(Mapping[str, Any], value), cast(Mapping[str, Any], below)
    if "provider" in over and over["provider"] != base.get("provider"):
        return dict(over)
    return merge(base, over)


def missing(
    config: PipelineConfig, absent_weights: Callable[[Iterable[str]], list[str]]
) -> list[str]:
    """Say what this machine lacks for `config`, one sentence a thing; empty when it can run.

    Blocks for up to a second for each server of the operator's own.

    Args:
        config: The pipeline in question.
        absent_weights: Given names of models, says a sentence for each that is not here.
    """
    lacks: list[str] = []
    for stage in config.stages:
        for name in stage.variables():
            if not is_set(name):
                lacks.append(f"The environment variable {name} is not set ({stage.provider}).")
        for name in stage.packages:
            if not is_installed(name):
                lacks.append(absent_package(name, stage.provider, extra=stage.extra or ""))
        lacks += absent_weights(stage.weights())
        lacks += _unreachable(stage)
    return list(dict.fromkeys(lacks))


def is_installed(package: str) -> bool:
    """Whether the package is here; it is looked for until it is."""
    if package not in _FOUND:
        with suppress(ModuleNotFoundError):
            if importlib.util.find_spec(package):
                _FOUND.add(package)
    return package in _FOUND


def absent_package(package: str, wanted_by: str, *, extra: str) -> str:
    """The sentence that says how to install what `extra` brings, from this project's own folder.

    Not by the project's name: what an index has under it may be somebody else's.
    """
    return (
        f"The package {package} is not installed ({wanted_by}); it comes with the extra {extra!r}: "
        f"in Offhook's folder, .venv/bin/pip install -e '.[{extra}]'."
    )


def _unreachable(stage: StageConfig) -> list[str]:
    url = stage.server()
    if not url:
        return []
    try:
        own_server(url)
    except ConfigError as error:
        return [error.message]
    return [] if answers(url) else [f"No server answers at {url} ({stage.provider})."]


def nearest(word: str, known: Iterator[str] | list[str]) -> str:
    """` (did you mean X?)` for the closest of `known`, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _leaves(table: Mapping[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    for key, value in table.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _check_per_call(config: PipelineConfig, path: str, value: JsonValue) -> None:
    """Refuse an override of anything that is not marked `PerCall`."""
    sections: tuple[BaseModel, ...] = (config.turn, *config.stages)
    section, _, key = path.partition(".")
    model = getattr(config, section, None) if section in PipelineConfig.model_fields else None
    if key == "provider" and isinstance(model, StageConfig) and value == model.provider:
        return
    fields = type(model).model_fields if isinstance(model, BaseModel) else {}
    if key in fields and PER_CALL in fields[key].metadata:
        return
    allowed = [
        f"{name}.{key}"
        for name, model_of in zip(("turn", "stt", "llm", "tts"), sections, strict=True)
        for key, info in type(model_of).model_fields.items()
        if PER_CALL in info.metadata
    ]
    path = path[:_SHOWN_CHARS]
    raise ConfigError(
        f"{path} cannot be overridden for one call{nearest(path, allowed)}. "
        f"These can: {', '.join(allowed)}.",
        code="override_refused",
        field=path,
    )


def _config_error(details: ErrorDetails, table: Mapping[str, Any]) -> ConfigError:
    """Turn pydantic's first complaint into a sentence that names the TOML path."""
    parts = [str(part) for part in details["loc"]]
    stage = parts[0] if parts else ""
    value: Any = table.get(stage)
    given: Any = cast(dict[str, Any], value).get("provider") if isinstance(value, dict) else None
    provider = str(given)
    if len(parts) > 1 and stage in ("stt", "llm", "tts") and parts[1] == provider:
        del parts[1]
    field = ".".join(parts)
    kind = details["type"]
    if kind == "union_tag_invalid":
        known = [tag.strip(" '") for tag in details.get("ctx", {})["expected_tags"].split(",")]
        message = (
            f"{field}.provider: there is no {stage} provider {provider!r}"
            f"{nearest(provider, known)}. Known: {', '.join(known)}."
        )
        return ConfigError(message, field=f"{field}.provider")
    if kind == "union_tag_not_found":
        return ConfigError(f"{field}.provider is missing.", field=f"{field}.provider")
    if kind == "extra_forbidden":
        known = _known_fields(parts[:-1], provider)
        field = field[:_SHOWN_CHARS]
        return ConfigError(
            f"{field}: there is no such setting{nearest(parts[-1], known)}.", field=field
        )
    if kind == "missing":
        return ConfigError(f"{field} is missing.", field=field)
    if kind == "value_error":
        said = details["msg"].removeprefix("Value error, ")
        return ConfigError(
            f"{field}: {said}." if field else f"{said}.", field=field or "turn.commit"
        )
    message = details["msg"][:1].lower() + details["msg"][1:]
    given = repr(details["input"])[:_SHOWN_CHARS]
    return ConfigError(f"{field[:_SHOWN_CHARS]}: {message}; it is {given}.", field=field)


def _known_fields(path: list[str], provider: str) -> list[str]:
    if not path:
        return list(PipelineConfig.model_fields)
    if path == ["turn"]:
        return list(TurnConfig.model_fields)
    return list(_settings(path[0], provider))


def _settings(stage: str, provider: str) -> Iterable[str]:
    """Names of a provider's settings; none if there is no such provider."""
    union: Any = {"stt": _Stt, "llm": _Llm, "tts": _Tts}.get(stage)
    models: tuple[type[StageConfig], ...] = get_args(get_args(union)[0]) if union else ()
    named = (m for m in models if m.model_fields["provider"].default == provider)
    return next((model.model_fields for model in named), ())
