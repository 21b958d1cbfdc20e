"""Where calls run: each session has its slots, its line to the caller, its task and its end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from loguru import logger

from bots.plan import CallPlan
from errors import FullError, NotFoundError
from hosts.admission import Admission

if TYPE_CHECKING:
    from pipecat.transports.base_transport import BaseTransport

UNUSED_SECS = 30.0
"""How long a session may wait for its caller."""
END_SECS = 8.0
"""How long a call may take to end politely, and then how long to end at all."""
CLOSE_SECS = 12.0
"""How long a line may take to close; a room's deletion is tried for 10."""

RunCall = Callable[["Session"], Awaitable[None]]


class Line(Protocol):
    """The caller's end of one call, whichever way they come; a host calls these in this order."""

    async def open(self) -> Mapping[str, object]:
        """Make what the caller needs to come in; what `/start` answers of it.

        Raises:
            OffhookError: It cannot be made; `close` is called nevertheless.
        """
        ...

    async def arrival(self) -> None:
        """Wait until the call can begin: the caller is here, or the bot may go to them."""
        ...

    def transport(self) -> BaseTransport:
        """The Pipecat transport to the caller; after the arrival."""
        ...

    def alive(self) -> bool:
        """Whether the caller's end still answers."""
        ...

    async def close(self) -> None:
        """Give back whatever `open` made, however far it came; a call that is on ends."""
        ...


AnyLine = TypeVar("AnyLine", bound=Line)


@dataclass(eq=False)
class Session:
    """One caller's way in: made by /start, gone with the call."""

    id: str
    plan: CallPlan
    line: Line
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the caller says that the call is over."""
    stage: Literal["waiting", "calling", "closing"] = "waiting"
    invitation: asyncio.Future[Mapping[str, object]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    task: asyncio.Task[None] | None = None


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

    def admit(self, plan: CallPlan, line: Line) -> Session:
        """Take the plan's slots and open the line; they are taken until it is closed.

        Raises:
            FullError: No slots are free, or the server is stopping.
        """
        if self._closing:
            raise FullError("The server is stopping; try again soon.", retry_after_secs=30)
        self._admission.take(plan.config.slots)
        session = Session(id=secrets.token_urlsafe(16), plan=plan, line=line)
        self._sessions[session.id] = session
        session.task = self._tasks.create_task(self._live(session))
        # A task that is cancelled before its first step never reaches its own `finally`.
        session.task.add_done_callback(lambda _: self._forget(session))
        return session

    async def invite(self, session: Session) -> Mapping[str, object]:
        """What the caller needs to come in, once the line is open.

        Raises:
            OffhookError: The line could not be opened; the session is over.
        """
        try:
            return await asyncio.shield(session.invitation)
        except asyncio.CancelledError:
            # Whoever asked is gone.
            self._cancel(session)
            raise

    def line(self, session_id: str, kind: type[AnyLine]) -> AnyLine:
        """The line of a session.

        Raises:
            NotFoundError: There is no such session (any more), or it has another kind of line.
        """
        session = self._sessions.get(session_id)
        if session is None or not isinstance(session.line, kind):
            raise NotFoundError(
                "There is no such session; it has ended or never began. Start a new call.",
                code="unknown_session",
            )
        return session.line

    async def hang_up(self, session_id: str) -> None:
        """End a session as its caller's wish, however far it came; one that is over is fine."""
        session = self._sessions.get(session_id)
        if session is None or session.task is None:
            return
        session.hung_up.set()
        if session.stage == "waiting":
            self._cancel(session)
        await asyncio.wait({session.task}, timeout=END_SECS)
        self._cancel(session)
        await asyncio.wait({session.task}, timeout=END_SECS)

    async def close(self) -> None:
        """Admit nobody, end every call, within a bound."""
        self._closing = True
        for session in list(self._sessions.values()):
            self._cancel(session)
        running = [session.task for session in self._sessions.values() if session.task]
        if running:
            await asyncio.wait(running, timeout=END_SECS)

    async def _live(self, session: Session) -> None:
        try:
            if await self._comes(session):
                session.stage = "calling"
                await self._run_call(session)
        except Exception:  # noqa: BLE001 - one call's failure must not reach the others
            logger.exception("call {} failed", session.plan.id)
        finally:
            # From here on nobody cancels: what the line made must go.
            session.stage = "closing"
            await self._close_line(session)

    async def _comes(self, session: Session) -> bool:
        """Open the line and wait for the caller; False if they do not come."""
        try:
            invitation = await session.line.open()
        except Exception as error:  # noqa: BLE001 - /start raises it, to whoever asked
            if not session.invitation.done():
                session.invitation.set_exception(error)
            return False
        if not session.invitation.done():
            session.invitation.set_result(invitation)
        try:
            async with asyncio.timeout(UNUSED_SECS):
                await session.line.arrival()
        except TimeoutError:
            logger.info("session of call {} was never used", session.plan.id)
            return False
        return True

    async def _close_line(self, session: Session) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECS):
                await session.line.close()
        except TimeoutError:
            logger.error("the line of call {} did not close in time", session.plan.id)
        except Exception:  # noqa: BLE001 - the slots must come back
            logger.exception("the line of call {} did not close", session.plan.id)

    def _cancel(self, session: Session) -> None:
        """End the session's task, unless it is ending."""
        task = session.task
        if task and session.stage != "closing" and not task.cancelling():
            task.cancel()

    def _forget(self, session: Session) -> None:
        if self._sessions.pop(session.id, None):
            self._admission.give_back(session.plan.config.slots)
        if not session.invitation.done():
            ended = "The call was ended before it could begin."
            session.invitation.set_exception(NotFoundError(ended, code="unknown_session"))
        # Whoever waited for it may be gone.
        session.invitation.exception()
