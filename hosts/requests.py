"""What may be asked of the process of a call, as it comes over its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import category

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from errors import BadRequestError

MAX_CANDIDATES = 64
"""In one request."""
MAX_SAY_CHARS = 500
"""Of what the bot is to say: half a minute of speech."""
_CONTROLS = frozenset({"Cc", "Zl", "Zp"})
"""Unicode categories: control characters, and what ends a line or a paragraph."""


class Fields(BaseModel):
    """What comes with a request; by itself, nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


AnyFields = TypeVar("AnyFields", bound=Fields)


class Recipe(Fields):
    """What the stages are built from."""

    plan: dict[str, JsonValue]
    """`CallPlan.to_json`."""
    site: dict[str, JsonValue]
    """`LocalSite.snapshot`."""


class Prebuild(Recipe):
    """`prebuild`: what is done in advance."""

    records: Path | None = None
    """Folder of all records, beside which greetings are kept; None: none is made."""


class Order(Recipe):
    """`begin`: one call."""

    session: str
    ticket: dict[str, JsonValue] = Field(repr=False)
    """How the caller is reached: `hosts.legs`."""
    records: Path
    """Folder of all records."""
    state_dir: Path
    """Where the bot's tools keep what they know."""
    holder: dict[str, JsonValue] = {}
    """Kept for whoever looks after the call later."""


class Offer(Fields):
    """`offer`: the browser's session description."""

    sdp: str
    restart: bool = False


class Candidate(Fields):
    """One of the browser's addresses; an empty one is the last."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class Candidates(Fields):
    """`ice`: some of them."""

    pc_id: str = ""
    candidates: tuple[Candidate, ...] = Field(max_length=MAX_CANDIDATES)


class Connection(Fields):
    """`socket`: a WebSocket whose TCP connection comes with the message."""

    head: str
    """The head of its request, in base64."""


class Say(Fields):
    """`say`: a sentence in the bot's own voice."""

    text: str = Field(min_length=1, max_length=MAX_SAY_CHARS, repr=False)
    """As it is to be spoken, on one line; white space around it is taken away."""

    @field_validator("text", mode="before")
    @classmethod
    def _strip(cls, given: object) -> object:
        return given.strip() if isinstance(given, str) else given

    @field_validator("text")
    @classmethod
    def _plain(cls, text: str) -> str:
        if any(category(character) in _CONTROLS for character in text):
            raise PydanticCustomError("control", "Control characters and line breaks are not said")
        return text


def read(model: type[AnyFields], fields: Mapping[str, Any]) -> AnyFields:
    """What came with a request.

    Raises:
        BadRequestError: Something is absent, too much or of another kind; no value is told, for
            keys are among them.
    """
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = f"The request cannot be read: {field}: {first['msg']}."
        raise BadRequestError(message, code="bad_fields") from error
