"""A telephone in Twilio's network: calls a server as Twilio does, and plays what it is sent."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import aiohttp
import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from errors import OffhookError
from evals.simulators import _mulaw
from hosts.twilio import signature
from pipelines.transports import AUDIO_IN_HZ

PHONE_HZ = 8000
TICK_SECS = 0.02
_TICK_BYTES = round(PHONE_HZ * TICK_SECS)
_FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": PHONE_HZ, "channels": 1}


class NotTakenError(OffhookError):
    """The server did not take the call; the message says what it answered."""

    code = "not_taken"


def _sid(kind: str) -> str:
    return kind + secrets.token_hex(16)


@dataclass(frozen=True)
class Number:
    """A number at Twilio, and what is to be asked when it is called."""

    url: str
    """Of the server's webhook."""
    auth_token: str = field(repr=False)


@dataclass(frozen=True)
class Stream:
    """Where the server wants a call's sound."""

    url: str
    parameters: dict[str, str]
    call_sid: str
    sid: str = field(default_factory=lambda: _sid("MZ"))

    @property
    def session(self) -> str:
        """The server's name of the call, which is in the address."""
        return self.url.split("/")[-2]

    def connected(self) -> dict[str, Any]:
        """The first message."""
        return {"event": "connected", "protocol": "Call", "version": "1.0.0"}

    def start(self) -> dict[str, Any]:
        """The second one."""
        told = {
            "accountSid": f"AC{'0' * 32}",
            "streamSid": self.sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": _FORMAT,
            "customParameters": self.parameters,
        }
        return {"event": "start", "sequenceNumber": "1", "start": told, "streamSid": self.sid}


async def ask(http: aiohttp.ClientSession, number: Number) -> Stream:
    """Ask the number's server what to do with a new call.

    Raises:
        NotTakenError: It does not want the call's sound.
    """
    call_sid = _sid("CA")
    form = {
        "AccountSid": f"AC{'0' * 32}",
        "ApiVersion": "2010-04-01",
        "CallSid": call_sid,
        "CallStatus": "ringing",
        "Called": "+4930123456",
        "CallerCity": "",
        "Direction": "inbound",
        "From": "+4930654321",
        "FromCountry": "DE",
        "To": "+4930123456",
    }
    headers = {"X-Twilio-Signature": signature(number.url, form.items(), number.auth_token)}
    async with http.post(number.url, data=form, headers=headers) as answer:
        text = await answer.text()
        if answer.status != 200 or answer.content_type != "application/xml":
            raise NotTakenError(f"The server answered {answer.status}: {text}")
    stream = ElementTree.fromstring(text).find("Connect/Stream")
    if stream is None:
        raise NotTakenError(f"The server does not take the call: {text}")
    told = {str(p.get("name")): str(p.get("value")) for p in stream.iterfind("Parameter")}
    return Stream(str(stream.get("url")), told, call_sid)


class Phone:
    """One call, while it is on; like Twilio it holds what is sent until it has played it.

    Args:
        socket: The stream's.
        stream: What the server asked for.
        playout_secs: How long after it came the first of a stretch of sound is played.
    """

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, stream: Stream, *, playout_secs: float = 0.0
    ) -> None:
        self.over = asyncio.Event()
        """Set when either end has closed the stream: what is not played by then never is."""
        self.came: list[str] = []
        """The kind of each message that came, in order."""
        self.clears: list[int] = []
        """How many samples had been played at each order to forget the rest."""
        self._socket = socket
        self._stream = stream
        self._speech: deque[bytes] = deque()
        self._said, self._heard = bytearray(), bytearray()
        self._buffer = bytearray()
        self._ahead = _mulaw.SILENCE * round(playout_secs * PHONE_HZ)
        self._marks: deque[tuple[int, str]] = deque()
        """How much of the buffer is before each mark, in bytes, and its name."""
        self._number = 1

    def say(self, speech: bytes) -> None:
        """Queue speech of the caller: int16 LE mono at 16 kHz."""
        samples = np.frombuffer(speech, "<i2")
        resampled: Any = soxr.resample(samples, AUDIO_IN_HZ, PHONE_HZ)
        sound = _mulaw.compress(resampled)
        sound += _mulaw.SILENCE * (-len(sound) % _TICK_BYTES)
        self._speech.extend(
            sound[at : at + _TICK_BYTES] for at in range(0, len(sound), _TICK_BYTES)
        )

    @property
    def session(self) -> str:
        """The server's name of the call."""
        return self._stream.session

    @property
    def speaking(self) -> bool:
        """Whether the caller has more to say."""
        return bool(self._speech)

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self._tell("dtmf", {"track": "inbound_track", "digit": digit})

    async def hang_up(self) -> None:
        """End the call, as the caller."""
        await self._tell("stop", {"callSid": self._stream.call_sid})
        await self._socket.close()

    def tracks(self) -> NDArray[np.int16]:
        """What was said and heard so far, at 8 kHz, one row a sample: caller, bot."""
        both = (_mulaw.expand(bytes(track)) for track in (self._said, self._heard))
        return np.stack(list(both), axis=1)

    async def live(self) -> None:
        """Begin the stream; send and play in real time until it is over."""
        for message in (self._stream.connected(), self._stream.start()):
            await self._socket.send_str(json.dumps(message))
        ticking = asyncio.ensure_future(self._tick())
        try:
            async for message in self._socket:
                await self._take(json.loads(message.data))
        finally:
            self.over.set()
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            said = self._speech.popleft() if self._speech else _mulaw.SILENCE * _TICK_BYTES
            heard = bytes(self._buffer[:_TICK_BYTES])
            del self._buffer[:_TICK_BYTES]
            self._said += said
            self._heard += heard.ljust(_TICK_BYTES, _mulaw.SILENCE)
            await self._pass_marks(len(heard))
            payload = base64.b64encode(said).decode()
            await self._tell("media", {"track": "inbound", "payload": payload})
            due += TICK_SECS
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _take(self, message: dict[str, Any]) -> None:
        kind = str(message["event"])
        self.came.append(kind)
        if message["streamSid"] != self._stream.sid:
            raise NotTakenError(f"The server sent {kind} to another stream.")
        if kind == "media":
            self._buffer += b"" if self._buffer else self._ahead
            self._buffer += base64.b64decode(message["media"]["payload"], validate=True)
        elif kind == "mark":
            self._marks.append((len(self._buffer), message["mark"]["name"]))
            await self._pass_marks(0)
        elif kind == "clear":
            self.clears.append(len(self._heard))
            self._buffer.clear()
            await self._pass_marks(None)
        else:
            raise NotTakenError(f"The server sent {kind}, which Twilio does not know.")

    async def _pass_marks(self, played: int | None) -> None:
        """Tell of the marks before which everything was played, or forgotten (`None`)."""
        left = [(0 if played is None else at - played, name) for at, name in self._marks]
        self._marks = deque(mark for mark in left if mark[0] > 0)
        for at, name in left:
            if at <= 0:
                await self._tell("mark", {"name": name})

    async def _tell(self, event: str, content: dict[str, Any]) -> None:
        self._number += 1
        message = {
            "event": event,
            "sequenceNumber": str(self._number),
            "streamSid": self._stream.sid,
            event: content,
        }
        # The server may have closed the stream just now.
        with suppress(aiohttp.ClientConnectionResetError):
            await self._socket.send_str(json.dumps(message))


@asynccontextmanager
async def dial(number: Number, *, playout_secs: float = 0.0) -> AsyncGenerator[Phone]:
    """Call the number; the caller hangs up when the block ends, if the call is still on.

    Args:
        number: Which.
        playout_secs: See `Phone`.

    Raises:
        NotTakenError: The server does not take the call, or breaks Twilio's protocol.
    """
    async with aiohttp.ClientSession() as http:
        stream = await ask(http, number)
        headers = {"X-Twilio-Signature": signature(stream.url, (), number.auth_token)}
        async with http.ws_connect(stream.url, headers=headers) as socket:
            phone = Phone(socket, stream, playout_secs=playout_secs)
            living = asyncio.ensure_future(phone.live())
            try:
                yield phone
            finally:
                if not phone.over.is_set():
                    await phone.hang_up()
                await living
