"""Callers that cost little: they send what was encoded beforehand and only look how loud it is."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from errors import OffhookError
from evals.callers_talk import PACKET_SECS, Clip, Talker
from evals.density_ear import BotEar

Mode = Literal["websocket", "webrtc"]
_HTTP_SECS = 30.0


class RefusedError(OffhookError):
    """The host did not take the call."""

    code = "refused"


@dataclass(frozen=True)
class Speech:
    """What callers of one kind say, ready to be sent."""

    clips: tuple[Clip, ...]
    silence: bytes


class Caller(ABC):
    """One call, from the outside. Subclasses bring the wire.

    Args:
        http: Of the host.
        speech: What is said.
    """

    mode: Mode = "websocket"

    def __init__(self, http: httpx.AsyncClient, speech: Speech) -> None:
        self.ear = BotEar()
        self.talker = Talker(speech.clips, speech.silence, self.ear)
        self.late_ms: list[float] = []
        """How late each packet was, the host's backpressure aside."""
        self.answer_ms: float | None = None
        """From `POST /start` until everything was there to connect with."""
        self.connected_secs: float | None = None
        """When the line was open, by the loop's clock."""
        self.session = ""
        self.over = asyncio.Event()
        """Set when the line is closed, by whichever side."""
        self._http = http
        self._began_secs = 0.0
        self._due_secs = 0.0

    @property
    def greeting_ms(self) -> float | None:
        """From the open line to the greeting's first audible sample."""
        if self.connected_secs is None or not self.ear.replies:
            return None
        return (self.ear.replies[0].start_secs - self.connected_secs) * 1000

    async def call(self, wishes: Mapping[str, Any] | None = None) -> None:
        """Come in and talk until the line is closed.

        Args:
            wishes: More of the body of `POST /start`.

        Raises:
            RefusedError: The host did not take the call.
        """
        self._began_secs = asyncio.get_running_loop().time()
        body = {"transport": self.mode, **(wishes or {})}
        opened = await self.ask("/start", body)
        await self.connect(opened)

    def answered(self) -> None:
        """Note that everything is there to connect with."""
        self.answer_ms = (asyncio.get_running_loop().time() - self._began_secs) * 1000

    @abstractmethod
    async def connect(self, opened: Mapping[str, Any]) -> None:
        """Open the line that `/start` told of."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Close the line in order."""

    @abstractmethod
    async def vanish(self) -> None:
        """Be gone without a word, as when the network is."""

    async def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post to the host; its answer.

        Raises:
            RefusedError: It is no success.
        """
        try:
            answer = await self._http.post(path, json=dict(body), timeout=_HTTP_SECS)
        except httpx.HTTPError as error:
            raise RefusedError(f"{path}: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise RefusedError(f"{path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()

    async def delete(self) -> None:
        """Hang up by HTTP."""
        await self._http.delete(f"/sessions/{self.session}", timeout=_HTTP_SECS)

    async def next_packet(self) -> bytes:
        """Wait until the next packet is due; what it is."""
        loop = asyncio.get_running_loop()
        now_secs = loop.time()
        self._due_secs = self._due_secs + PACKET_SECS if self._due_secs else now_secs
        if self._due_secs > now_secs:
            await asyncio.sleep(self._due_secs - now_secs)
        # Whoever could not send the packet before in time was held up by the host.
        awaited_secs = max(self._due_secs, now_secs)
        self.late_ms.append((loop.time() - awaited_secs) * 1000)
        return self.talker.packet(self._due_secs)


def cut(audio: bytes, *, packet_bytes: int) -> Sequence[bytes]:
    """Audio in packets of that size, the last filled up with silence."""
    padded = audio + bytes(-len(audio) % packet_bytes)
    return [padded[at : at + packet_bytes] for at in range(0, len(padded), packet_bytes)]
