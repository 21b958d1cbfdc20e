"""The page, as built: its files and nothing else of the disk."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"microphone=(self)",
}
_DAILY = ("daily.co", "dailywebrtc.com", "dailywebrtc.net")
"""Domains that Daily's own guides name for its browser library."""
_LIVEKIT_CLOUD = ".livekit.cloud"
_NOT_BUILT = """<!doctype html><title>Offhook</title>
<p>The page is not built. Run <code>make client</code>, then reload.</p>"""


def policy(*, daily: bool = False, livekit_url: str = "") -> str:
    """What the page may load and reach: this server, and whoever carries calls for it.

    Args:
        daily: Calls may go over Daily, whose library fetches its code when a call begins.
        livekit_url: The LiveKit server of the calls, if any. A browser is sent from LiveKit's
            cloud to the nearest of its regions.
    """
    scripts = [f"https://*.{domain}" for domain in _DAILY] if daily else []
    reached = [f"{scheme}://*.{domain}" for domain in _DAILY for scheme in ("https", "wss")]
    connections = [*(reached if daily else []), *_livekit(livekit_url)]
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *scripts)),
            " ".join(("connect-src 'self'", *connections)),
            "img-src 'self' data:",
            "media-src 'self' blob:",
            "style-src 'self' 'unsafe-inline'",
            "worker-src 'self' blob:",
            "frame-ancestors 'none'",
        )
    )


def _livekit(url: str) -> list[str]:
    """Where a browser goes for a room: a socket, and requests that explain why it failed."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if not re.fullmatch(r"[\w.:\[\]-]+", host):
        return []
    if host.endswith(_LIVEKIT_CLOUD):
        host = f"*{_LIVEKIT_CLOUD}"
    secure = "s" if parts.scheme in ("https", "wss") else ""
    return [f"http{secure}://{host}", f"ws{secure}://{host}"]


class PageHeaders:
    """Adds what keeps the page to itself: no asset, frame or script that `policy` does not name."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._headers = {**_HEADERS, b"content-security-policy": policy.encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to every answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers.items()]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def mount(app: FastAPI, folder: Path, *, daily: bool = False, livekit_url: str = "") -> None:
    """Serve the built client at `/`; say how to build it where it is not.

    Args:
        app: Gets the page, after all other routes.
        folder: The built client.
        daily: See `policy`.
        livekit_url: See `policy`.
    """
    app.add_middleware(PageHeaders, policy=policy(daily=daily, livekit_url=livekit_url))
    if (folder / "index.html").exists():
        app.mount("/", StaticFiles(directory=folder, html=True), name="page")
        return

    @app.get("/", response_class=HTMLResponse)
    def not_built() -> str:  # pyright: ignore[reportUnusedFunction]
        return _NOT_BUILT
