"""Where calls are looked after: each session has its slots, its line, its process and its end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from loguru import logger
from pydantic import JsonValue

from bots.plan import CallPlan
from errors import OffhookError
from hosts.admission import Admission
from hosts.channel import ChannelClosedError
from hosts.drain import Drain, DrainingError
from hosts.session import Errands, Line, Session, Wish, foremost, unknown_session
from hosts.watch import Nobody, Watch, refusal

if TYPE_CHECKING:
    from hosts.nursery import Child

END_SECS = 8.0
"""How long a call may take to end politely, and then how long to end at all."""
CLOSE_SECS = 12.0
"""How long a line may take to close; a room's deletion is tried for 10."""
RENEW_SECS = 2.0
"""How often each process is told that it is still wanted."""
LAST_WORDS_SECS = 0.3
"""How long what a process said before it ended may take to be read."""
_LOOK_SECS = 0.25

AnyLine = TypeVar("AnyLine", bound=Line)


class Spawner(Protocol):
    """Gives a process for each call: `hosts.nursery.Nursery`."""

    async def take(self, *, digest: str | None = None) -> Child:
        """A process that waits for its call, prepared for plans of that digest if one is.

        Raises:
            OffhookError: There is none to be had.
        """
        ...


class Host:
    """Looks after the calls of this machine. An async context manager: leaving it ends them.

    Args:
        spawner: Where the calls' processes come from.
        errands: What others do for it.
        admission: The slots.
        drain: How the server stops.
        watch: Told of each call.
    """

    def __init__(
        self,
        spawner: Spawner,
        errands: Errands,
        *,
        admission: Admission,
        drain: Drain | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._spawner = spawner
        self._errands = errands
        self._admission = admission
        self.drain = drain or Drain()
        self.drained = asyncio.Event()
        """Set when the server was told to stop and may exit."""
        self._watch = watch or Nobody()
        self._sessions: dict[str, Session] = {}
        self._tasks = asyncio.TaskGroup()
        self._tending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Host:
        await self._tasks.__aenter__()
        self._tending = self._tasks.create_task(self._tend())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Should it be a failure that leads here, nothing is left to wait for either.
        self.drained.set()
        await self.close()
        if self._tending:
            self._tending.cancel()
        # The calls are done; what failed inside the block is raised as it is, not in a group.
        await self._tasks.__aexit__(None, None, None)

    @property
    def live(self) -> int:
        """Sessions whose line is not closed yet."""
        return len(self._sessions)

    @property
    def admission(self) -> Admission:
        """The slots."""
        return self._admission

    async def admit(self, plan: CallPlan, line: Line, *, key: str | None = None) -> Session:
        """Take the plan's slots and open the line; they are taken until the process is gone.

        Waits only where there is a line for slots, and nothing here is slow: a refusal is quick.

        Args:
            plan: The call.
            line: Of the plan's transport, not open yet.
            key: Name of the caller's key, if they have one.

        Raises:
            FullError: No slots are free.
            DrainingError: The server is stopping.
        """
        try:
            if self.drain.begun:
                raise DrainingError
            grant = await self._admission.wait(plan.config.slots, key=key, bot=plan.bot.name)
        except OffhookError as error:
            self._tell_refusal(error)
            raise
        session = Session(secrets.token_urlsafe(16), plan, line, grant=grant, key=key)
        self._look_after(session)
        return session

    async def adopt(self, children: Sequence[Child]) -> int:
        """Look after the calls that a host before this one began; how many there are.

        Their slots are taken even where that is more than there are.
        """
        adopted = await asyncio.gather(*(self._adopt(child) for child in children))
        return sum(adopted)

    async def invite(self, session: Session) -> Mapping[str, object]:
        """What the caller needs to come in, once the line is open and a process waits for them.

        Raises:
            OffhookError: Something could not be had; the session is over.
        """
        try:
            return await asyncio.shield(session.invitation)
        except asyncio.CancelledError:
            # Whoever asked is gone.
            session.cancel()
            raise

    def line(self, session_id: str, kind: type[AnyLine]) -> AnyLine:
        """The line of a session.

        Raises:
            NotFoundError: There is no such session (any more), or it has another kind of line.
        """
        line = self.session(session_id).line
        if not isinstance(line, kind):
            raise unknown_session()
        return line

    def session(self, session_id: str) -> Session:
        """A session that began and has not ended.

        Raises:
            NotFoundError: There is none.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise unknown_session()
        return session

    async def ask(
        self, session_id: str, op: str, *, timeout_secs: float = 10.0, **fields: JsonValue
    ) -> dict[str, Any]:
        """Ask the process of a session.

        Raises:
            NotFoundError: There is no such session, or its process does not wait for that.
            OffhookError: What the process answered, or that it is lost.
        """
        session = self.session(session_id)
        if session.child is None or session.stage != "calling":
            raise unknown_session()
        return await session.child.channel.ask(op, fds=(), timeout_secs=timeout_secs, **fields)

    async def hang_up(self, session_id: str) -> None:
        """End a session as its caller's wish, however far it came; one that is over is fine."""
        session = self._sessions.get(session_id)
        if session is None or session.task is None:
            return
        if session.stage == "opening":
            session.cancel()
        session.tell("hang_up")
        await self._see_out([session])

    async def close(self) -> None:
        """Admit nobody, end every call, within a bound."""
        self.drain.ask()
        for session in self._sessions.values():
            self._cancel_opening(session, op="stop")
        await self._see_out(list(self._sessions.values()))

    def _look_after(self, session: Session) -> None:
        self._sessions[session.id] = session
        session.task = self._tasks.create_task(self._live(session))
        # A task that is cancelled before its first step never reaches its own `finally`.
        session.task.add_done_callback(lambda _: self._forget(session))

    async def _adopt(self, child: Child) -> bool:
        try:
            state = await child.channel.ask("state", timeout_secs=2.0)
            if not state.get("session"):
                return False
            plan = CallPlan.from_json(state["plan"])
            holder: dict[str, Any] = dict(state.get("holder") or {})
            line = self._errands.reopen(holder)
        except (OffhookError, KeyError, TypeError, ValueError) as error:
            logger.error(
                "the process {} is not understood and ends by itself: {}", child.pid, error
            )
            return False
        key = holder.get("key")
        grant = self._admission.adopt(plan.config.slots, key=key, bot=plan.bot.name)
        session = Session(state["session"], plan, line, grant=grant, key=key)
        self._start(session, child)
        session.catch_up(state, self._watch)
        child.channel.tell("renew")
        session.refuse(unknown_session())
        self._look_after(session)
        return True

    async def _live(self, session: Session) -> None:
        try:
            if session.child is None:
                await self._open(session)
            assert session.child
            await session.child.exited.wait()
        except OffhookError as error:
            logger.info("call {} did not begin: {}", session.plan.id, error.message)
            self._tell_refusal(error)
            session.refuse(error)
        except Exception:  # noqa: BLE001 - one call's failure must not reach the others
            logger.exception("call {} failed", session.plan.id)
            session.refuse(OffhookError("The call could not begin; the server's log says why."))
        finally:
            # From here on nobody cancels: what was made must go.
            session.stage = "closing"
            await self._bury(session)
            # A room's deletion takes its time, and nothing of this machine.
            self._admission.give_back(session.grant)
            await session.close_line(CLOSE_SECS)

    async def _open(self, session: Session) -> None:
        """Have the line opened and a process ready, and tell it to begin."""
        await self._errands.prepare(session.plan)
        try:
            async with asyncio.TaskGroup() as group:
                opening = group.create_task(session.line.open())
                group.create_task(self._take(session))
        except BaseExceptionGroup as errors:
            raise foremost(errors) from errors
        order = {**session.order(), **self._errands.brief(session.plan)}
        try:
            child = await session.command(order)
        except ChannelClosedError as error:
            logger.error("a process is replaced before its call began: {}", error.message)
            # What it was told must not be done twice.
            await session.end_process(END_SECS)
            await self._take(session)
            child = await session.command(order)
        self._start(session, child)
        if not session.invitation.done():
            session.invitation.set_result(opening.result())

    def _tell_refusal(self, error: OffhookError) -> None:
        if why := refusal(error):
            self._watch.refused(why)

    async def _take(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        began_secs = loop.time()
        child = await self._spawner.take(digest=session.plan.digest())
        session.child = child
        kind = "warm" if child.warm else "forked"
        self._watch.spawned(kind, (loop.time() - began_secs) * 1000)

    def _start(self, session: Session, child: Child) -> None:
        session.begin(child, asyncio.get_running_loop().time())
        self._watch.started(session.plan)
        # What it said meanwhile is heard now.
        child.on_message = partial(self._hear, session)
        child.on_broken = partial(self._mend_soon, session)

    def _mend_soon(self, session: Session) -> None:
        self._tasks.create_task(self._mend(session))

    async def _mend(self, session: Session) -> None:
        try:
            await session.mend(self._watch)
        except Exception:  # noqa: BLE001 - no other call may end with it
            logger.exception("the connection of call {} was not mended", session.plan.id)

    def _hear(self, session: Session, message: Mapping[str, Any]) -> None:
        pulse = session.hear(message, self._watch)
        if pulse and session.child:
            self._admission.pulse(
                session.child.name, lag_p99_ms=pulse.lag_p99_ms, late_frames=pulse.late_frames
            )

    async def _bury(self, session: Session) -> None:
        """See that the process is gone, and that its record says how the call ended."""
        child = session.child
        if child is None:
            return
        await session.end_process(END_SECS)
        self._admission.gone(child.name)
        try:
            await asyncio.to_thread(self._errands.bury, session.plan.id)
        except Exception:  # noqa: BLE001 - a full disk must not reach the other calls
            logger.exception("the record of call {} was not closed", session.plan.id)
        try:
            self._tell_end(session)
        except Exception:  # noqa: BLE001 - nor whoever counts
            logger.exception("the end of call {} was not told", session.plan.id)

    def _tell_end(self, session: Session) -> None:
        if session.vitals is None:
            return
        secs = asyncio.get_running_loop().time() - session.began_secs
        reason = session.vitals.epitaph()
        if reason == "crashed":
            logger.error("the process of call {} died", session.plan.id)
        self._watch.ended(session.plan, reason, secs)

    async def _see_out(self, sessions: Sequence[Session]) -> None:
        """Wait for ends that were asked for, then see to them."""
        tasks = {session.task for session in sessions if session.task}
        if not tasks:
            return
        done, _ = await asyncio.wait(tasks, timeout=END_SECS)
        late = [session for session in sessions if session.task not in done]
        for session in late:
            session.kill()
            session.cancel()
        if late:
            await asyncio.wait(tasks - done, timeout=CLOSE_SECS)

    async def _tend(self) -> None:
        """Renew what lives, end what does not, for all calls at once."""
        loop = asyncio.get_running_loop()
        renew_secs = loop.time()
        while True:
            await asyncio.sleep(_LOOK_SECS)
            now_secs = loop.time()
            renewing = now_secs >= renew_secs
            if renewing:
                renew_secs = now_secs + RENEW_SECS
            for session in list(self._sessions.values()):
                try:
                    session.tend(now_secs, renew=renewing)
                except Exception:  # noqa: BLE001 - the others must be tended
                    logger.exception("call {} could not be looked at", session.plan.id)
            self._go_on_draining(now_secs)

    def _go_on_draining(self, now_secs: float) -> None:
        if self.drain.begun:
            self._admission.turn_away(DrainingError())
        step = self.drain.step(now_secs, live=self.live)
        if step == "exit":
            self.drained.set()
        elif step != "wait":
            for session in self._sessions.values():
                self._cancel_opening(session, op="drain" if step == "farewell" else "stop")

    def _cancel_opening(self, session: Session, *, op: Wish) -> None:
        """End a session that has no call; tell the call of any other."""
        if session.stage == "opening":
            session.cancel()
        else:
            session.tell(op)

    def _forget(self, session: Session) -> None:
        if self._sessions.pop(session.id, None):
            self._admission.give_back(session.grant)
        session.refuse(unknown_session())
