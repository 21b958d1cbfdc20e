"""Phone calls: what Twilio asks when a number is called, and the WebSocket that carries it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypedDict
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from fastapi import APIRouter, Response, WebSocket
from starlette.requests import HTTPConnection, Request

from api.calls import while_there
from api.handover import hand_over, refuse
from bots.bot import DEFAULT_BOT
from bots.plan import CallPlan, plan_call
from errors import BadRequestError, ConfigError, MissingError, OffhookError
from hosts.house import House
from hosts.session import Session, unknown_session
from hosts.twilio import TwilioLine, check_call_sid

VOICE_PATH = "/twilio/voice"
ANSWER_SECS = 12.0
"""How long a caller hears it ring while slots and a process are waited for; Twilio waits 15 s."""
_BUSY = (429, 503)
"""No slot, no process, or the server is stopping."""
_MAX_FIELDS = 200
"""Of the form; Twilio sends some thirty."""

Fields = list[tuple[str, str]]


class _Wish(TypedDict):
    """What the operator chose for a number's calls."""

    bot: str
    pipeline: str | None


def router(house: House) -> APIRouter:
    """The routes. Twilio sends no key of ours with them: its signature is the key."""
    routes = APIRouter(tags=["phone"])

    @routes.post(VOICE_PATH)
    async def voice(http: Request) -> Response:
        """Tell Twilio what to do with a call: bring its sound here, or let it be busy."""
        call_sid = await _signed_call(http, house)
        wish = _wish(http)
        pipeline = house.pipeline(wish["pipeline"])
        plan = plan_call(bot=wish["bot"], pipeline=pipeline, transport="twilio")
        try:
            async with asyncio.timeout(ANSWER_SECS):
                session, invitation = await while_there(http, _let_in(house, plan, call_sid))
        except TimeoutError:
            return _xml(busy())
        except OffhookError as error:
            if error.status in _BUSY:
                return _xml(busy())
            raise
        if await http.is_disconnected():
            # Nobody will come: Twilio was not told where.
            await house.host.hang_up(session.id)
        url = house.transports.twilio.stream_url(_stream_path(session.id))
        return _xml(connect(url, str(invitation["token"])))

    @routes.websocket(_stream_path("{session_id}"))
    async def carry(socket: WebSocket, session_id: str) -> None:
        try:
            twilio = house.transports.twilio
            twilio.check_stream(_signature(socket), _stream_path(session_id))
            session = house.host.session(session_id)
            # By the plan: of a call that an earlier server invited, the line is no TwilioLine.
            if session.plan.transport != "twilio" or session.child is None:
                raise unknown_session()
            await hand_over(socket, session.child.channel)
        except OffhookError as error:
            await refuse(socket, error)

    return routes


def connect(url: str, token: str) -> ElementTree.Element:
    """TwiML: bring the call's sound to `url` and show the token there; hang up after it."""
    response = ElementTree.Element("Response")
    stream = ElementTree.SubElement(ElementTree.SubElement(response, "Connect"), "Stream", url=url)
    # A query would be cut off the address.
    ElementTree.SubElement(stream, "Parameter", name="token", value=token)
    ElementTree.SubElement(response, "Hangup")
    return response


def busy() -> ElementTree.Element:
    """TwiML: let the caller hear that the line is busy."""
    response = ElementTree.Element("Response")
    ElementTree.SubElement(response, "Reject", reason="busy")
    return response


async def _let_in(
    house: House, plan: CallPlan, call_sid: str
) -> tuple[Session, Mapping[str, object]]:
    session = await house.admit(plan)
    # Before anything else runs: the process is told of it.
    house.host.line(session.id, TwilioLine).expect(call_sid)
    return session, await house.host.invite(session)


def _xml(root: ElementTree.Element) -> Response:
    content = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(content, media_type="application/xml")


def _stream_path(session_id: str) -> str:
    return f"/sessions/{session_id}/twilio"


async def _signed_call(http: Request, house: House) -> str:
    """The CallSid of a request that Twilio has signed."""
    settings = house.transports.twilio
    lacking = settings.lacks()
    if lacking:
        raise MissingError(" ".join(lacking), field="transport")
    fields = _form(await http.body())
    query = f"?{http.url.query}" if http.url.query else ""
    settings.check_request(_signature(http), VOICE_PATH + query, fields)
    return check_call_sid(dict(fields).get("CallSid", ""))


def _signature(request: HTTPConnection) -> str:
    return request.headers.get("x-twilio-signature", "")


def _form(body: bytes) -> Fields:
    try:
        # A field without a value is signed too.
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise BadRequestError("The body is no form.", code="not_a_form") from error


def _wish(http: Request) -> _Wish:
    """What the address that is set at Twilio says; the signature covers it."""
    given = dict(http.query_params)
    wish = _Wish(bot=given.pop("bot", "") or DEFAULT_BOT, pipeline=given.pop("pipeline", None))
    if given:
        name = next(iter(given))
        raise ConfigError(f"{name}: the address may name a bot and a pipeline only.", field=name)
    return wish
