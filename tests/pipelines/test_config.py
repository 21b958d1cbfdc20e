"""Every way a configuration can be wrong is told by the field at fault."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import ConfigError, NotFoundError, OffhookError
from pipelines.config import (
    DEFAULT_PRESET,
    is_installed,
    load_preset,
    merge,
    missing,
    parse,
    preset_names,
    read_toml,
    resolve,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", preset_names())
def test_every_shipped_preset_is_valid(name: str) -> None:
    assert resolve(name).name == name


def test_the_default_comes_first() -> None:
    assert preset_names()[0] == DEFAULT_PRESET


def test_an_unknown_preset_offers_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'local'") as caught:
        resolve("locol")
    assert caught.value.field == "pipeline"


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"stt": {"provider": "moonshin"}}, "stt.provider", "did you mean 'moonshine'"),
    ({"stt": {"provider": None}}, "stt.provider", "there is no stt provider"),
    ({"turn": {"comit": "silence"}}, "turn.comit", "did you mean 'commit'"),
    ({"turn": {"commit": "guess"}}, "turn.commit", "'guess'"),
    ({"turn": {"silence_ms": 5}}, "turn.silence_ms", "greater than or equal to 200"),
    ({"tss": {}}, "tss", "did you mean 'tts'"),
    ({"tts": {"provider": "simulated", "pitch": 3}}, "tts.pitch", "did you mean 'pitch_hz'"),
    ({"tts": {"provider": "simulated", "pitch_hz": 3}}, "tts.pitch_hz", "it is 3"),
    ({"llm": {"provider": "simulated", "api_key": "x"}}, "llm.api_key", "no such setting"),
    ({"slots": 0}, "slots", "greater than or equal to 1"),
    ({"name": "../../etc"}, "name", "pattern"),
]


@pytest.mark.parametrize(("wrong", "field", "says"), WRONG)
def test_a_mistake_is_named_by_its_toml_path(wrong: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse(merge(load_preset("simulated"), wrong))
    assert caught.value.field == field


def test_a_missing_stage_is_named() -> None:
    table = load_preset("simulated")
    del table["llm"]
    with pytest.raises(ConfigError, match="llm is missing"):
        parse(table)


def test_a_stage_without_provider_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(load_preset("simulated") | {"stt": {"final_ms": 3}})
    assert caught.value.field == "stt.provider"


def test_a_call_may_override_what_is_marked() -> None:
    config = resolve("simulated", overrides={"turn": {"silence_ms": 900}})
    assert config.turn.silence_ms == 900


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"slots": 1}, "slots"),
        ({"name": "x"}, "name"),
        ({"turn": {"commit": "silence"}}, "turn.commit"),
        ({"stt": {"provider": "moonshine"}}, "stt.provider"),
        ({"turn": {"nothing": 1}}, "turn.nothing"),
        ({"model_fields": {"x": 1}}, "model_fields.x"),
        ({"__class__": 1}, "__class__"),
    ],
)
def test_a_call_may_override_nothing_else(overrides: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match="cannot be overridden") as caught:
        resolve("simulated", overrides=overrides)
    assert caught.value.field == field


def test_an_override_out_of_range_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("simulated", overrides={"turn": {"silence_ms": 10**9}})
    assert caught.value.field == "turn.silence_ms"


def test_the_bots_wishes_lie_under_the_callers() -> None:
    wishes = {"turn": {"silence_ms": 700, "patience_ms": 3000}}
    config = resolve("simulated", defaults=wishes, overrides={"turn": {"silence_ms": 800}})
    assert (config.turn.silence_ms, config.turn.patience_ms) == (800, 3000)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "mine.toml"
    broken.write_text("[stt\n")
    with pytest.raises(ConfigError, match=r"mine\.toml is not valid TOML"):
        read_toml(broken)
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        read_toml(tmp_path / "absent.toml")


def test_a_table_is_its_readers_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("[stt]\nprovider = 'simulated'\n")
    read_toml(mine)["stt"]["provider"] = "another"
    assert read_toml(mine)["stt"]["provider"] == "simulated"


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("slots = 1\n")
    assert read_toml(mine)["slots"] == 1
    mine.write_text("slots = 20\n")
    assert read_toml(mine)["slots"] == 20
    mine.unlink()
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        read_toml(mine)


def test_a_package_that_comes_later_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_installed("comes_later")
    assert not is_installed("comes_later.inner")
    (tmp_path / "comes_later.py").write_text("")
    importlib.invalidate_caches()
    assert is_installed("comes_later")


def test_a_file_takes_its_name_from_its_stem(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'summary = "s"\n[stt]\nprovider = "simulated"\n[llm]\nprovider = "simulated"\n'
        '[tts]\nprovider = "simulated"\n'
    )
    assert resolve(mine).name == "mine"


def test_another_provider_replaces_the_stage() -> None:
    base = {"stt": {"provider": "a", "x": 1}}
    assert merge(base, {"stt": {"provider": "b"}}) == {"stt": {"provider": "b"}}
    assert merge(base, {"stt": {"provider": "a", "y": 2}})["stt"] == {
        "provider": "a",
        "x": 1,
        "y": 2,
    }


leaves = st.one_of(st.integers(), st.text(max_size=5), st.booleans())
tables = st.recursive(
    st.dictionaries(st.text(max_size=5), leaves, max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(tables, tables)
def test_merging_loses_and_invents_no_key(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = repr((base, over))
    merged = merge(base, over)
    assert set(merged) == set(base) | set(over)
    assert merge(merged, over) == merged
    assert repr((base, over)) == before


@given(tables)
def test_no_table_whatever_raises_anything_but_our_errors(over: dict[str, Any]) -> None:
    try:
        resolve("simulated", overrides=over)
    except OffhookError as error:
        assert error.message


def test_absent_weights_are_said_of_every_stage() -> None:
    config = resolve("local")
    names = [name for stage in config.stages for name in stage.weights()]
    assert len(names) >= 3
    assert set(missing(config, lambda asked: [f"no {name}" for name in asked])) >= {
        f"no {name}" for name in names
    }


def test_checking_a_configuration_loads_no_pipecat() -> None:
    code = (
        "import sys, pipelines.config as c; [c.resolve(n) for n in c.preset_names()];"
        "sys.exit(any(m.split('.')[0] in {'pipecat','numpy','openai','av'} for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_turn_is_ended_by_somebody() -> None:
    table = load_preset("local") | {"turn": {"commit": "provider"}}
    with pytest.raises(ConfigError, match="moonshine does not say when a turn is over") as error:
        parse(table)
    assert error.value.field == "turn.commit"
    assert resolve("flux").stt.ends_turns


@pytest.mark.parametrize("provider", ["groq", "anthropic", "llama_cpp"])
def test_a_misspelt_setting_is_mended_for_every_provider(provider: str) -> None:
    table = load_preset("cloud") | {"llm": {"provider": provider, "temprature": 1}}
    with pytest.raises(ConfigError, match=r"llm.temprature: .*did you mean 'temperature'"):
        parse(table)
