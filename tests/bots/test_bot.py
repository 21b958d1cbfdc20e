"""A bot is a folder; what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

import bots.bot
from bots.bot import DEFAULT_BOT, BotSettings, bot_names, load_bot
from errors import ConfigError, NotFoundError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", bot_names())
def test_every_bot_here_loads_and_has_something_to_say(name: str, tmp_path: Path) -> None:
    bot = load_bot(name)
    assert bot.settings.greeting
    opening = bot.opening(tmp_path)
    assert opening.messages[0] == {"role": "system", "content": bot.prompt}
    assert opening.messages[-1] == {"role": "assistant", "content": bot.settings.greeting}
    assert bool(opening.tools) == bot.has_tools


def test_the_default_comes_first() -> None:
    assert bot_names()[0] == DEFAULT_BOT == "receptionist"


def test_an_unknown_bot_offers_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'interviewer'"):
        load_bot("interview")


@pytest.mark.parametrize("name", ["../receptionist", "", "/etc", "receptionist/"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(NotFoundError):
        load_bot(name)


def test_examples_become_exchanges() -> None:
    settings = BotSettings.model_validate(
        {
            "title": "T",
            "summary": "S",
            "greeting": "Hi.",
            "examples": [
                {"caller": "hello", "reply": "Hello."},
                {"caller": "monday?", "tool": "opening_hours", "arguments": {"day": "monday"}},
            ],
        }
    )
    bot = bots.bot.Bot(name="t", prompt="Be kind.", settings=settings, has_tools=False)
    roles = [message["role"] for message in bot.exchanges()]
    assert roles == ["user", "assistant", "user", "assistant", "tool"]


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("title = 1\n[", "not valid TOML"),
        ('title = "x"\nsummary = "y"\n', "greeting: Field required"),
        ('title = "x"\nsummary = "y"\ngreeting = "z"\ngreting = "z"\n', "greting"),
        (
            'title = "x"\nsummary = "y"\ngreeting = "z"\n[[examples]]\ncaller = "a"\n',
            "either a reply or a tool",
        ),
        ('title = "x"\nsummary = "y"\ngreeting = "z"\n[limits]\nidle_secs = 1\n', "idle_secs"),
        ('title = "x"\nsummary = "y"\ngreeting = "z"\n[idle]\nafter_secs = 1\n', "after_secs"),
        ('title = "x"\nsummary = "y"\ngreeting = "z"\n[budget]\near_ms = 1\n', "ear_ms"),
        ('title = "x"\nsummary = "y"\ngreeting = "z"\n[fillers]\nphrases = [""]\n', "phrases"),
        ('title = "x"\nsummary = "y"\ngreeting = "z"\nfillers = 3\n', "fillers"),
        (
            'title = "x"\nsummary = "y"\ngreeting = "z"\nlanguage = "de"\nidle = 3\n',
            "idle: Input should be",
        ),
    ],
)
def test_what_is_wrong_in_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, says: str
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "bot.toml").write_text(toml)
    (folder / "prompt.md").write_text("Be kind.")
    monkeypatch.setattr(bots.bot, "BOTS", tmp_path)
    with pytest.raises(ConfigError, match=says):
        load_bot("broken")


def test_a_bot_without_prompt_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mute").mkdir()
    (tmp_path / "mute" / "bot.toml").write_text('title = "x"\nsummary = "y"\ngreeting = "z"\n')
    monkeypatch.setattr(bots.bot, "BOTS", tmp_path)
    with pytest.raises(ConfigError, match=r"prompt\.md"):
        load_bot("mute")


def _settings(**tables: object) -> BotSettings:
    told = {"title": "T", "summary": "S", "greeting": "Hi.", **tables}
    return BotSettings.model_validate(told)


def test_a_bot_that_says_nothing_of_it_fills_waits_and_asks_twice() -> None:
    settings = _settings()
    assert settings.fillers.enabled
    assert len(settings.fillers.phrases) > 1
    assert settings.idle.enabled
    assert len(settings.idle.prompts) == 2
    assert settings.budget.ear_ms == 800


def test_a_farewell_is_short() -> None:
    assert _settings().farewell
    assert _settings(farewell=" ").farewell == ""
    with pytest.raises(ValueError, match="farewell"):
        _settings(farewell="Good-bye. " * 9)


def test_more_phrases_than_eight_are_too_many() -> None:
    with pytest.raises(ValueError, match="phrases"):
        _settings(fillers={"phrases": ["Hm."] * 9})


def test_a_bot_in_another_language_speaks_no_english() -> None:
    settings = _settings(language="de", fillers={"after_ms": 900})
    assert settings.fillers.phrases == ()
    assert settings.farewell == ""
    assert settings.fillers.after_ms == 900
    assert not settings.idle.enabled


def test_a_bot_in_another_language_says_what_it_is_told_to() -> None:
    settings = _settings(
        language="de",
        farewell="Ich muss leider auflegen.",
        fillers={"phrases": ["Einen Moment."]},
        idle={"prompts": ["Sind Sie noch da?"], "goodbye": "Ich lege jetzt auf."},
    )
    assert settings.fillers.phrases == ("Einen Moment.",)
    assert settings.farewell == "Ich muss leider auflegen."
    assert settings.idle.enabled


def test_a_sentence_for_a_tool_that_the_bot_lacks_is_named(tmp_path: Path) -> None:
    settings = _settings(fillers={"tools": {"free_slot": "I am looking."}})
    bot = bots.bot.Bot(name="receptionist", prompt="Be kind.", settings=settings, has_tools=True)
    with pytest.raises(ConfigError, match=r"free_slot: .*did you mean 'free_slots'"):
        bot.tools(tmp_path)


def test_a_bot_is_read_again_when_its_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots.bot, "BOTS", tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "bot.toml").write_text('title = "T"\nsummary = "S"\ngreeting = "Hi."\n')
    (folder / "prompt.md").write_text("Be kind.")
    first = load_bot("mine")
    assert load_bot("mine") is first
    (folder / "prompt.md").write_text("Be brief.")
    assert load_bot("mine").prompt == "Be brief."
    (folder / "tools.py").touch()
    assert load_bot("mine").has_tools
    (folder / "prompt.md").unlink()
    with pytest.raises(ConfigError, match=r"prompt\.md"):
        load_bot("mine")
