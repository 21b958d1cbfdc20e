"""A bot: who speaks, read from its folder."""

from __future__ import annotations

import functools
import importlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from errors import ConfigError, NotFoundError
from pipelines.config import file_stamp, nearest
from providers.kinds import Opening

if TYPE_CHECKING:
    from bots.toolkit import ToolFunction

BOTS = Path(__file__).parent
DEFAULT_BOT = "receptionist"
_PARTS = ("bot.toml", "prompt.md", "tools.py")
"""Of a bot's folder; the last one may be absent."""
_KEPT = 64
"""Bots that are not read again as long as their files stay as they are."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Table):
    """When a call ends on its own."""

    max_call_secs: int = Field(default=900, ge=10, le=14_400)
    """The longest a call may last."""
    idle_secs: int = Field(default=60, ge=5, le=3600)
    """How long nobody may speak."""


_Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
_Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
_Farewell = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80)]


class Fillers(_Table):
    """What is said while the caller waits for a late answer."""

    enabled: bool = True
    after_ms: int = Field(default=700, ge=300, le=5000)
    """How long a silence, from the caller's last sample, may last."""
    phrases: tuple[_Phrase, ...] = Field(
        default=("Let me see.", "One moment.", "Hm, let me think."), max_length=8
    )
    """In the bot's language; each is about a second long. No two running turns get the same."""
    tools: dict[str, _Sentence] = Field(default={}, max_length=16)
    """Name of a tool and the sentence that is said when it runs long."""


class Idle(_Table):
    """What is done about a caller who says nothing."""

    enabled: bool = True
    after_secs: int = Field(default=12, ge=4, le=600)
    """From the bot's last word; the same after each prompt."""
    prompts: tuple[_Sentence, ...] = Field(
        default=("Are you still there?", "I will hang up soon if I cannot hear you."),
        max_length=8,
    )
    """Asked one after the other."""
    goodbye: _Sentence = "I will hang up now. Good-bye."
    """Said when none of them was answered; the call ends after it."""


class Budget(_Table):
    """What a turn should take."""

    ear_ms: int = Field(default=800, ge=100, le=10_000)
    """From the caller's last sample to the bot's first; the excess is blamed on a stage."""


class Example(_Table):
    """One exchange that shows a small model how to answer."""

    caller: str
    reply: str | None = None
    tool: str | None = None
    arguments: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _one_answer(self) -> Example:
        if (self.reply is None) == (self.tool is None):
            raise ValueError("an example has either a reply or a tool")
        return self


class BotSettings(_Table):
    """What `bot.toml` may say."""

    title: str = Field(max_length=80)
    summary: str = Field(max_length=200)
    greeting: str = Field(max_length=400)
    """The first words, spoken as they stand."""
    apology: str = Field(
        default="Sorry, I did not get that. Could you say it again?", max_length=200
    )
    """Spoken when the model failed to answer."""
    farewell: _Farewell = "I am sorry, I have to end this call now. Good-bye."
    """Spoken when the server ends the call, in a few seconds; empty: it ends without a word."""
    language: str = Field(default="en", pattern=r"^[a-z]{2}$")
    record: bool = False
    """Whether the two-track audio of each call is kept."""
    turn: dict[str, JsonValue] = {}
    """Laid over the pipeline's `[turn]`."""
    limits: Limits = Limits()
    fillers: Fillers = Fillers()
    idle: Idle = Idle()
    budget: Budget = Budget()
    examples: tuple[Example, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _no_foreign_words(cls, given: Any) -> Any:
        """A bot in another language says nothing in English that it was not told to say."""
        if not isinstance(given, dict):
            return given
        table = cast("dict[str, Any]", given)
        if table.get("language", "en") == "en":
            return table
        table: dict[str, Any] = {"farewell": "", **table}
        own = {"fillers": {"phrases": ()}, "idle": {"enabled": False}}
        if isinstance(table.get("idle"), dict) and {"prompts", "goodbye"} <= set(table["idle"]):
            del own["idle"]
        return table | {
            name: default | table.get(name, {})
            for name, default in own.items()
            if isinstance(table.get(name, {}), dict)
        }


class Bot(_Table):
    """A bot, ready to take calls."""

    name: str
    prompt: str
    settings: BotSettings
    has_tools: bool

    def tools(self, state_dir: Path) -> Sequence[ToolFunction]:
        """The functions that this bot may call; `state_dir` is where they keep what they know.

        Raises:
            ConfigError: `[fillers.tools]` names a tool that is not among them.
        """
        functions: Sequence[ToolFunction] = ()
        if self.has_tools:
            functions = importlib.import_module(f"bots.{self.name}.tools").open_tools(state_dir)
        names = [str(getattr(function, "__name__", "")) for function in functions]
        for name in self.settings.fillers.tools:
            if name not in names:
                raise ConfigError(
                    f"bots/{self.name}/bot.toml: fillers.tools.{name}: this bot has no such tool"
                    f"{nearest(name, names)}.",
                    field=f"fillers.tools.{name}",
                )
        return functions

    def exchanges(self) -> list[dict[str, Any]]:
        """The examples, as a conversation that went before the call."""
        told: list[dict[str, Any]] = []
        for number, example in enumerate(self.settings.examples):
            told.append({"role": "user", "content": example.caller})
            told += _answer(example, f"example_{number}")
        return told

    def opening(self, state_dir: Path) -> Opening:
        """What the model has been told when the caller says the first word."""
        from bots.toolkit import tool_schemas

        prompt = {"role": "system", "content": self.prompt}
        greeting = {"role": "assistant", "content": self.settings.greeting}
        return Opening(
            messages=(prompt, *self.exchanges(), greeting),
            tools=tuple(tool_schemas(self.tools(state_dir))),
        )


def bot_names() -> list[str]:
    """Names of the bots that live here, the default first."""
    names = sorted(path.parent.name for path in BOTS.glob("*/bot.toml"))
    return sorted(names, key=lambda name: name != DEFAULT_BOT)


def load_bot(name: str) -> Bot:
    """Read the bot `name`.

    Raises:
        NotFoundError: There is no such bot; the message offers the nearest name.
        ConfigError: Its folder holds something that cannot be used; the message names it.
    """
    if name not in bot_names():
        raise NotFoundError(
            f"There is no bot {name!r}{nearest(name, bot_names())}. "
            f"The bots here are: {', '.join(bot_names())}.",
            code="unknown_bot",
            field="bot",
        )
    folder = BOTS / name
    return _read(folder, tuple(file_stamp(folder / part) for part in _PARTS))


@functools.lru_cache(maxsize=_KEPT)
def _read(folder: Path, stamps: tuple[tuple[int, ...] | None, ...]) -> Bot:
    """Read the bot in that folder, whose `_PARTS` are of those stamps."""
    name = folder.name
    try:
        settings = BotSettings.model_validate(tomllib.loads((folder / "bot.toml").read_text()))
        prompt = (folder / "prompt.md").read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"The bot {name!r} lacks {error.filename}.", field="bot") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"bots/{name}/bot.toml is not valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"bots/{name}/bot.toml: {field}: {first['msg']}.", field=field) from error
    has_tools = stamps[_PARTS.index("tools.py")] is not None
    return Bot(name=name, prompt=prompt, settings=settings, has_tools=has_tools)


def _answer(example: Example, call_id: str) -> list[dict[str, Any]]:
    import json

    if example.tool is None:
        return [{"role": "assistant", "content": example.reply}]
    call = {
        "id": call_id,
        "type": "function",
        "function": {"name": example.tool, "arguments": json.dumps(example.arguments)},
    }
    done = {"role": "tool", "tool_call_id": call_id, "content": "done"}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}, done]
