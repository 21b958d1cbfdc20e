"""Phone calls: what Twilio asks when a number is called, and the WebSocket that carries it."""

from __future__ import annotations

import asyncio
from typing import TypedDict
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from fastapi import APIRouter, Response, WebSocket, WebSocketDisconnect
from loguru import logger
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocketState

from api.errors import answer as answer_error
from bots.bot import DEFAULT_BOT
from bots.plan import plan_call
from errors import BadRequestError, ConfigError, FullError, MissingError, OffhookError
from hosts.house import House
from hosts.twilio import StreamStart, TwilioLine, check_call_sid, check_connected, read_start

VOICE_PATH = "/twilio/voice"
SETUP_SECS = 5.0
"""How long a stream may take, once it is accepted, to say whose it is."""
MAX_SETUP_CHARS = 8192
"""Of each message until then."""
_MAX_FIELDS = 200
"""Of the form; Twilio sends some thirty."""
_POLICY_VIOLATION = 1008

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
        await house.ready(plan)
        try:
            session = house.admit(plan)
        except FullError:
            return _xml(busy())
        invitation = await house.host.invite(session)
        house.host.line(session.id, TwilioLine).expect(call_sid)
        if await http.is_disconnected():
            # Twilio waits no longer, and never learns where to come.
            await house.host.hang_up(session.id)
        url = house.transports.twilio.stream_url(_stream_path(session.id))
        return _xml(connect(url, str(invitation["token"])))

    @routes.websocket(_stream_path("{session_id}"))
    async def carry(socket: WebSocket, session_id: str) -> None:
        path = _stream_path(session_id)
        try:
            house.transports.twilio.check_stream(_signature(socket), path)
            line = house.host.line(session_id, TwilioLine)
        except OffhookError as error:
            await socket.send_denial_response(answer_error(error))
            return
        await socket.accept()
        await _carry(socket, line)

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


async def _carry(socket: WebSocket, line: TwilioLine) -> None:
    """Carry the call of an accepted stream, if it is the call that the line waits for."""
    try:
        line.receive(await _start(socket))
    except OffhookError as error:
        logger.warning("a stream of Twilio's was refused: {}", error.code)
        if socket.client_state is WebSocketState.CONNECTED:
            await socket.close(_POLICY_VIOLATION, error.code)
        return
    await line.carry(socket)


async def _start(socket: WebSocket) -> StreamStart:
    """What Twilio says first on a stream: that it is connected, and whose it is.

    Raises:
        BadRequestError: It says something else, too much, or nothing in time.
    """
    try:
        async with asyncio.timeout(SETUP_SECS):
            check_connected(await _message(socket))
            return read_start(await _message(socket))
    except TimeoutError:
        raise BadRequestError("The stream did not start in time.", code="start") from None


async def _message(socket: WebSocket) -> str:
    try:
        text = await socket.receive_text()
    except (WebSocketDisconnect, KeyError):
        raise BadRequestError("The stream did not start.", code="start") from None
    if len(text) > MAX_SETUP_CHARS:
        raise BadRequestError("The stream's first messages are too long.", code="start")
    return text
