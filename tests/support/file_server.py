"""A web server on loopback that serves bytes from memory, and misbehaves when told to."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Fault:
    """What one answer does in place of serving the file."""

    status: int = 0
    """Answer this status and no file."""
    cut_after_bytes: int = -1
    """Break the connection after so many bytes of the body."""
    stall_after_bytes: int = -1
    """Send so many bytes of the body and then nothing, until the server goes."""
    ignores_range: bool = False
    """Send the whole file, whatever part was asked for."""


SOUND = Fault()


@dataclass
class FileServer:
    """What is served and what was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    faults: dict[str, list[Fault]] = field(default_factory=dict[str, list[Fault]])
    """Answers to misbehave in, first one first."""
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Path and `Range` header of each request."""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the server goes."""

    def fault(self, path: str) -> Fault:
        """The next fault of a path."""
        waiting = self.faults.get(path, [])
        return waiting.pop(0) if waiting else SOUND


class _Handler(BaseHTTPRequestHandler):
    files: FileServer

    def do_GET(self) -> None:
        span = self.headers.get("Range", "")
        self.files.asked.append((self.path, span))
        fault = self.files.fault(self.path)
        body = self.files.files.get(self.path)
        if fault.status or body is None:
            self._send(fault.status or 404, b"")
            return
        start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        if not span or fault.ignores_range:
            self._send(200, body, fault=fault)
        elif start >= len(body):
            self._send(416, b"", content_range=f"bytes */{len(body)}")
        else:
            content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._send(206, body[start:], content_range=content_range)

    def _send(
        self, status: int, body: bytes, *, content_range: str = "", fault: Fault = SOUND
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "x/binary")
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        sent_bytes = max(fault.cut_after_bytes, fault.stall_after_bytes)
        self.wfile.write(body if sent_bytes < 0 else body[:sent_bytes])
        if fault.stall_after_bytes >= 0:
            self.files.gone.wait()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""
        del format, args


@contextmanager
def file_server() -> Generator[FileServer]:
    """Serve until the block ends."""
    files = FileServer()
    handler = type("Handler", (_Handler,), {"files": files})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        files.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield files
        files.gone.set()
        server.shutdown()
        thread.join()
