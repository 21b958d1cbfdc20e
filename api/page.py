"""The page, as built: its files and nothing else of the disk."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    b"content-security-policy": (
        b"default-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        b"style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"microphone=(self)",
}
_NOT_BUILT = """<!doctype html><title>Offhook</title>
<p>The page is not built. Run <code>make client</code>, then reload.</p>"""


class PageHeaders:
    """Adds what keeps the page to itself: no asset, frame or script from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to every answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def mount(app: FastAPI, folder: Path) -> None:
    """Serve the built client at `/`; say how to build it where it is not."""
    app.add_middleware(PageHeaders)
    if (folder / "index.html").exists():
        app.mount("/", StaticFiles(directory=folder, html=True), name="page")
        return

    @app.get("/", response_class=HTMLResponse)
    def not_built() -> str:  # pyright: ignore[reportUnusedFunction]
        return _NOT_BUILT
