"""Daily's REST API: rooms and meeting tokens, with patience for its bad moments."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar, cast

import httpx
from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from errors import NotFoundError, OffhookError
from hosts.ledger import Ledger
from hosts.retry import Miss, Patience, wait_secs
from providers.base import endpoint, secret

Model = TypeVar("Model", bound=BaseModel)

API_URL = "https://api.daily.co/v1"
ROOM_NAME = r"[A-Za-z0-9_-]{1,128}"
"""What Daily takes as a room's name."""
_NOT_FOUND = 404
_BUSY = 429


class DailyError(OffhookError):
    """Daily did not do what it was asked to."""

    code = "daily"
    status = 502


class Room(BaseModel):
    """What matters here of a room."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(pattern=f"^{ROOM_NAME}$")
    # The native client aborts the process on an address that is no HTTPS.
    url: str = Field(pattern=r"^https://[\w.-]+/[\w-]+$")


class _Token(BaseModel):
    token: str = Field(min_length=1)


@dataclass(frozen=True)
class _Answer:
    """What came of one try."""

    body: Mapping[str, Any]
    miss: Miss | None = None


class DailyRest:
    """The calls that a host makes. An async context manager.

    Args:
        url: Base URL of the API.
        patience: How long each call is tried.
        ledger: Where the rooms that exist are written down.
    """

    def __init__(
        self,
        url: str = API_URL,
        *,
        patience: Patience | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._ledger = ledger or Ledger()
        self._url = url
        self._patience = patience or Patience()
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> DailyRest:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._http:
            await self._http.aclose()
            self._http = None

    async def create_room(self, name: str, properties: Mapping[str, object]) -> Room:
        """Make a private room. Its name is ours, so that a second try cannot make a second room.

        Raises:
            DailyError: It was not made, or nobody knows; delete it by its name in any case.
        """
        # From here on it may exist, whatever becomes of us.
        self._ledger.add(name)
        body = {"name": name, "privacy": "private", "properties": properties}
        try:
            answer = await self._ask("POST", "/rooms", body)
        except _RefusedError:
            # A try whose answer was lost may have made it.
            try:
                return await self.find_room(name)
            except NotFoundError:
                pass
            raise
        return _read(Room, answer)

    async def find_room(self, name: str) -> Room:
        """Look up a room.

        Raises:
            NotFoundError: There is none of that name.
            DailyError: Daily did not answer the question.
        """
        try:
            return _read(Room, await self._ask("GET", f"/rooms/{name}"))
        except _RefusedError as error:
            if error.answered != _NOT_FOUND:
                raise
            raise NotFoundError(
                f"Daily has no room {name!r} (any more).", code="unknown_room", field="dailyRoom"
            ) from error

    async def delete_room(self, name: str) -> None:
        """Delete a room and put out whoever is in it; one that is not there is fine.

        Raises:
            DailyError: Nobody knows whether it is gone.
        """
        try:
            await self._ask("DELETE", f"/rooms/{name}")
        except _RefusedError as error:
            if error.answered != _NOT_FOUND:
                raise
        self._ledger.drop(name)

    async def mint_token(self, properties: Mapping[str, object]) -> str:
        """A token that opens a room.

        Raises:
            DailyError: There is none.
        """
        answer = await self._ask("POST", "/meeting-tokens", {"properties": properties})
        return _read(_Token, answer).token

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Mapping[str, Any]:
        """The answer's body, after as many tries as patience allows."""
        clock = asyncio.get_running_loop().time
        began, tries = clock(), 0
        while True:
            left_secs = self._patience.total_secs - (clock() - began)
            answer = await self._try(method, path, body, secs=left_secs)
            tries += 1
            if answer.miss is None:
                return answer.body
            wait = wait_secs(
                self._patience,
                answer.miss,
                tries=tries,
                spent_secs=clock() - began,
                luck=random.random(),
            )
            if wait is None:
                raise _error(answer)
            logger.warning("Daily: {} failed ({}); again in {:.1f} s", method, answer.miss, wait)
            await asyncio.sleep(wait)

    async def _try(
        self, method: str, path: str, body: Mapping[str, object] | None, *, secs: float
    ) -> _Answer:
        url = endpoint("daily", self._url) + path
        headers = {"Authorization": f"Bearer {secret('DAILY_API_KEY')}"}
        try:
            async with asyncio.timeout(min(self._patience.try_secs, secs)):
                answer = await self._client().request(method, url, json=body, headers=headers)
        except (httpx.RequestError, TimeoutError):
            return _Answer({}, Miss(status=None))
        try:
            read: Any = answer.json()
        except ValueError:
            # A page of some proxy's: its status counts, if it is one of failure.
            return _Answer({}, _missed(answer) or Miss(status=None))
        return _Answer(
            cast("dict[str, Any]", read) if isinstance(read, dict) else {}, _missed(answer)
        )

    def _client(self) -> httpx.AsyncClient:
        # Made on first use: it reads the certificates of this machine, which takes a while.
        if self._http is None:
            # What goes to this machine in clear must not pass a proxy.
            far = endpoint("daily", self._url).startswith("https:")
            self._http = httpx.AsyncClient(timeout=None, trust_env=far)
        return self._http


class _RefusedError(DailyError):
    """Daily understood and said no."""

    def __init__(self, message: str, *, answered: int) -> None:
        super().__init__(message)
        self.answered = answered


def _missed(answer: httpx.Response) -> Miss | None:
    if answer.is_success:
        return None
    asked = answer.headers.get("retry-after", "")
    return Miss(answer.status_code, float(asked) if asked.isdigit() else None)


def _read(model: type[Model], body: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise DailyError(
            f"Daily's answer cannot be used ({first['loc']}: {first['msg']}). Is DAILY_API_URL "
            "the address of Daily's REST API?"
        ) from error


def _error(answer: _Answer) -> DailyError:
    """What to tell a person about a try that was the last."""
    miss = answer.miss
    assert miss
    if miss.status is None:
        error = DailyError(
            "Daily does not answer. Check this server's way to DAILY_API_URL, and try again.",
            code="daily_unreachable",
        )
        error.status = 504
        return error
    why = f"{miss.status} {answer.body.get('error', '')}".strip()
    key_error = answer.body.get("error") == "authorization-header-error"
    if miss.status in (401, 403) or key_error:
        return DailyError(f"Daily refuses the key ({why}). Check DAILY_API_KEY.", code="daily_key")
    if miss.status == _BUSY:
        error = DailyError(
            f"Daily has too many requests ({why}). Try again soon.", code="daily_busy"
        )
        error.status = 503
        error.headers = {"Retry-After": str(int(miss.retry_after_secs or 10))}
        return error
    if miss.passing:
        return DailyError(f"Daily has a fault of its own ({why}). Try again soon.")
    info = str(answer.body.get("info", ""))[:200]
    return _RefusedError(f"Daily refuses the request ({why}): {info}", answered=miss.status)
