"""Twilio's REST API for calls: create, look at, hang up; there is no telephone behind it."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from evals.simulators.vendors import Desk

_ACCOUNT = re.compile(r"AC[0-9a-f]{32}")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_OVER = ("completed", "canceled", "busy", "failed", "no-answer")

Form = dict[str, str]
Answer = Callable[[str, web.Request, Form], tuple[int, dict[str, Any]]]


class _RefusedError(Exception):
    """A request that Twilio would not take."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }


class _Switchboard:
    """The calls of every account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._calls: dict[str, dict[str, Any]] = {}

    def handler(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Serve `answer`, with the faults that the desk has in store."""

        async def handle(request: web.Request) -> web.StreamResponse:
            course = await self._desk.open(request, "twilio")
            try:
                account = _authenticate(request)
                form = {name: str(value) for name, value in (await request.post()).items()}
                status, body = answer(account, request, form)
            except _RefusedError as refused:
                status, body = refused.status, refused.body
            if await course.next():
                return web.Response(text="<html>upstream", content_type="text/html")
            return web.json_response(body, status=status)

        return handle

    def create(self, account: str, request: web.Request, form: Form) -> tuple[int, dict[str, Any]]:
        """Dial: the call is queued, and stays so until somebody says otherwise."""
        _check_parties(form)
        _check_instructions(form, required=True)
        sid = f"CA{secrets.token_hex(16)}"
        uri = f"/2010-04-01/Accounts/{account}/Calls/{sid}"
        self._calls[sid] = {
            "sid": sid,
            "account_sid": account,
            "to": form["To"],
            "from": form["From"],
            "status": "queued",
            "direction": "outbound-api",
            "date_created": _now(),
            "date_updated": _now(),
            "start_time": None,
            "end_time": None,
            "duration": None,
            "price": None,
            "price_unit": "USD",
            "answered_by": None,
            "api_version": "2010-04-01",
            "uri": f"{uri}.json",
            "subresource_uris": {"recordings": f"{uri}/Recordings.json"},
        }
        return 201, self._calls[sid]

    def fetch(self, account: str, request: web.Request, form: Form) -> tuple[int, dict[str, Any]]:
        """Say how the call is."""
        return 200, self._call(account, request)

    def update(self, account: str, request: web.Request, form: Form) -> tuple[int, dict[str, Any]]:
        """Redirect it, or end it."""
        call = self._call(account, request)
        _check_instructions(form, required=False)
        status = form.get("Status")
        if status not in (None, "completed", "canceled"):
            raise _RefusedError(400, 21218, f"Invalid Status: {status}")
        if call["status"] in _OVER:
            raise _RefusedError(400, 21220, "Call is not in-progress. Cannot redirect.")
        ends = status == "completed" or (
            status == "canceled" and call["status"] in ("queued", "ringing")
        )
        if ends:
            call |= {"status": status, "end_time": _now()}
        elif status is None and call["status"] == "queued":
            raise _RefusedError(400, 21220, "Call is not in-progress. Cannot redirect.")
        call["date_updated"] = _now()
        return 200, call

    def list(self, account: str, request: web.Request, form: Form) -> tuple[int, dict[str, Any]]:
        """Every call of the account, the newest first."""
        calls = [call for call in self._calls.values() if call["account_sid"] == account][::-1]
        return 200, {"calls": calls, "page": 0, "page_size": 50}

    def _call(self, account: str, request: web.Request) -> dict[str, Any]:
        call = self._calls.get(request.match_info["call"])
        if call is None or call["account_sid"] != account:
            message = f"The requested resource {request.path} was not found"
            raise _RefusedError(404, 20404, message)
        return call


def _authenticate(request: web.Request) -> str:
    """The account of the path, if the request has a name and a secret for it."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name = password = ""
    account = request.match_info["account"]
    # An API key has a name of its own and speaks for the account in the path.
    known = name == account or name.startswith("SK")
    if scheme != "Basic" or not password or not known or not _ACCOUNT.fullmatch(account):
        raise _RefusedError(401, 20003, "Authenticate")
    return account


def _check_parties(form: Form) -> None:
    if "To" not in form:
        raise _RefusedError(400, 21201, "No 'To' number is specified")
    if "From" not in form:
        raise _RefusedError(400, 21213, "No 'From' number is specified")
    if not _NUMBER.fullmatch(form["To"]):
        raise _RefusedError(400, 21211, f"Invalid 'To' Phone Number: {form['To']}")
    if not _NUMBER.fullmatch(form["From"]):
        raise _RefusedError(400, 21212, f"Invalid 'From' Phone Number: {form['From']}")


def _check_instructions(form: Form, *, required: bool) -> None:
    if required and not {"Url", "Twiml", "ApplicationSid"} & set(form):
        raise _RefusedError(400, 21205, "Url parameter is required.")
    if "Url" in form and urlsplit(form["Url"]).scheme not in ("http", "https"):
        raise _RefusedError(400, 21205, f"Url is not a valid URL: {form['Url']}")


def _now() -> str:
    return datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")


def routes(desk: Desk) -> list[web.RouteDef]:
    """Twilio's paths under `/twilio/2010-04-01`."""
    board = _Switchboard(desk)
    calls = "/twilio/2010-04-01/Accounts/{account}/Calls"
    return [
        web.post(f"{calls}.json", board.handler(board.create)),
        web.get(f"{calls}.json", board.handler(board.list)),
        web.get(f"{calls}/{{call}}.json", board.handler(board.fetch)),
        web.post(f"{calls}/{{call}}.json", board.handler(board.update)),
    ]
