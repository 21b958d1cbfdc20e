"""Every call in one process, with the same `/start`: how a bot is served without a host of its own.

`python -m evals.density_one PORT PIPELINE DATA`; what Offhook's own server is measured beside.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bots.plan import plan_call


class OneProcess:
    """Runs calls as tasks of this loop.

    Args:
        pipeline: A TOML file.
        data_dir: Where records go.
    """

    def __init__(self, pipeline: Path, data_dir: Path) -> None:
        self._pipeline = pipeline
        self._data_dir = data_dir
        self._waiting: set[str] = set()
        self._calls: set[asyncio.Future[None]] = set()

    def app(self) -> Starlette:
        """The web application."""
        routes = [
            Route("/start", self.start, methods=["POST"]),
            Route("/healthz", self.health),
            Route("/sessions/{id}/api/offer", self.offer, methods=["POST"]),
            Route("/sessions/{id}", self.hang_up, methods=["DELETE"]),
            WebSocketRoute("/sessions/{id}/ws", self.carry),
        ]
        return Starlette(routes=routes, lifespan=self._warm)

    async def start(self, request: Request) -> JSONResponse:
        """Name a session."""
        body = await request.json()
        session = secrets.token_urlsafe(8)
        self._waiting.add(session)
        if body.get("transport") == "websocket":
            return JSONResponse({"wsUrl": f"ws://{request.url.netloc}/sessions/{session}/ws"})
        return JSONResponse({"sessionId": session})

    async def health(self, _: Request) -> JSONResponse:
        """How many calls are on."""
        return JSONResponse({"calls": len(self._calls)})

    async def offer(self, request: Request) -> JSONResponse:
        """Answer a browser's offer and begin its call."""
        from pipelines.transports import WebRtcPeer

        offer = await request.json()
        peer = WebRtcPeer()
        answer = await peer.answer(offer["sdp"])
        call = asyncio.ensure_future(self._run("webrtc", peer.transport()))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return JSONResponse(dict(answer))

    async def carry(self, socket: WebSocket) -> None:
        """Be the bot on a WebSocket."""
        from pipelines.transports import socket_transport

        await socket.accept()
        await self._run("websocket", socket_transport(socket))

    async def hang_up(self, _: Request) -> JSONResponse:
        """Only the caller's own end closes a call here."""
        return JSONResponse({})

    async def _run(self, transport_name: Any, transport: Any) -> None:
        from bots.call import Surroundings, run
        from hosts.sidecars import Sidecars
        from hosts.site import LocalSite
        from providers.models import ModelStore
        from records.record import FolderStore

        plan = plan_call(pipeline=self._pipeline, transport=transport_name)
        around = Surroundings(
            site=LocalSite(ModelStore(offline=True, env={}), Sidecars()),
            records=FolderStore(self._data_dir / "calls"),
            state_dir=self._data_dir / "bots" / plan.bot.name,
        )
        await run(plan, transport, around)

    @asynccontextmanager
    async def _warm(self, _: Starlette) -> AsyncGenerator[None]:
        """Import what a call imports before the first."""
        import importlib

        from pipelines.config import resolve

        await asyncio.to_thread(importlib.import_module, "bots.call")
        turns = await asyncio.to_thread(importlib.import_module, "pipelines.turns")
        await asyncio.to_thread(turns.rehearse, resolve(self._pipeline).turn)
        yield


def main(port: str, pipeline: str, data: str) -> None:
    """Serve until stopped."""
    from records.logs import configure

    configure("WARNING")
    app = OneProcess(Path(pipeline), Path(data)).app()
    uvicorn.run(app, port=int(port), log_config=None, access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
