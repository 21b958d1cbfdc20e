"""Where calls run: each session has its slots, its peer, its task and its end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from loguru import logger

from bots.plan import CallPlan
from errors import FullError, NotFoundError
from hosts.admission import Admission

if TYPE_CHECKING:
    from pipelines.transports import Candidate, WebRtcPeer

UNUSED_SECS = 30.0
"""How long a session may wait for its first offer."""
_END_SECS = 8.0

RunCall = Callable[[CallPlan, "WebRtcPeer"], Awaitable[None]]


@dataclass
class Session:
    """One caller's way in: made by /start, used by offers, gone with the call."""

    id: str
    plan: CallPlan
    peer: WebRtcPeer | None = None
    task: asyncio.Task[None] | None = None
    expiry: asyncio.TimerHandle | None = None
    offers: asyncio.Lock = field(default_factory=asyncio.Lock)


class Host:
    """Runs the calls of one process. An async context manager: leaving it ends them."""

    def __init__(self, run_call: RunCall, *, admission: Admission) -> None:
        self._run_call = run_call
        self._admission = admission
        self._sessions: dict[str, Session] = {}
        self._tasks = asyncio.TaskGroup()
        self._closing = False

    async def __aenter__(self) -> Host:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
        # The calls are done; what failed inside the block is raised as it is, not in a group.
        await self._tasks.__aexit__(None, None, None)

    @property
    def live(self) -> int:
        """Sessions that hold slots."""
        return len(self._sessions)

    @property
    def admission(self) -> Admission:
        """The slots."""
        return self._admission

    def admit(self, plan: CallPlan) -> Session:
        """Take the plan's slots and open a session that waits for its offer.

        Raises:
            FullError: No slots are free, or the server is stopping.
        """
        if self._closing:
            raise FullError("The server is stopping; try again soon.", retry_after_secs=30)
        self._admission.take(plan.config.slots)
        session = Session(id=secrets.token_urlsafe(16), plan=plan)
        self._sessions[session.id] = session
        loop = asyncio.get_running_loop()
        session.expiry = loop.call_later(UNUSED_SECS, self._expire, session)
        return session

    async def offer(self, session_id: str, sdp: str, *, restart: bool) -> Mapping[str, str]:
        """Answer an offer: the first starts the call, later ones renegotiate it.

        Raises:
            NotFoundError: There is no such session (any more).
            BadRequestError: The offer cannot be read; the session then waits for a better one.
        """
        from pipelines.transports import WebRtcPeer

        session = self._session(session_id)
        async with session.offers:
            if session.peer:
                return await session.peer.renegotiate(sdp, restart=restart)
            peer = WebRtcPeer()
            try:
                answer = await peer.answer(sdp)
            except BaseException:
                await peer.close()
                raise
            session.peer = peer
            if session.expiry:
                session.expiry.cancel()
            session.task = self._tasks.create_task(self._run(session, peer))
            # A task that is cancelled before its first step never reaches its own `finally`.
            session.task.add_done_callback(lambda _: self._forget(session))
            return answer

    async def add_candidates(self, session_id: str, candidates: Sequence[Candidate]) -> None:
        """Hand the browser's further ICE candidates to the call.

        Raises:
            NotFoundError: There is no such session, or it has had no offer.
        """
        session = self._session(session_id)
        if session.peer is None:
            raise NotFoundError("This session has had no offer yet.", code="no_offer")
        await session.peer.add(candidates)

    async def close(self) -> None:
        """Admit nobody, end every call, within a bound."""
        self._closing = True
        sessions = list(self._sessions.values())
        running: list[asyncio.Task[None]] = []
        for session in sessions:
            if session.task is None:
                self._expire(session)
            else:
                session.task.cancel()
                running.append(session.task)
        if running:
            await asyncio.wait(running, timeout=_END_SECS)
        await asyncio.gather(*(session.peer.close() for session in sessions if session.peer))

    async def _run(self, session: Session, peer: WebRtcPeer) -> None:
        try:
            await self._run_call(session.plan, peer)
        except Exception:  # noqa: BLE001 - one call's failure must not reach the others
            logger.exception("call {} failed", session.plan.id)
        finally:
            await peer.close()

    def _expire(self, session: Session) -> None:
        logger.info("session of call {} was never used", session.plan.id)
        if session.expiry:
            session.expiry.cancel()
        self._forget(session)

    def _forget(self, session: Session) -> None:
        if self._sessions.pop(session.id, None):
            self._admission.give_back(session.plan.config.slots)

    def _session(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise NotFoundError(
                "There is no such session; it has ended or never began. Start a new call.",
                code="unknown_session",
            )
        return session
