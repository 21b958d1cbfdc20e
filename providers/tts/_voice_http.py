"""The HTTP of a voice's own process, on the standard library's server: one thread a connection."""

from __future__ import annotations

import json
import select
import socket
import sys
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_MAX_BODY_BYTES = 16 * 1024
_IDLE_SECS = 60.0


class Request(BaseModel):
    """What to say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=2000)]
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    """1.0 is the speaker's own; 2.0 is twice as fast."""
    speaker: str = Field(default="", max_length=40)
    """One of the model's speakers; its first if empty."""


class Voice(Protocol):
    """Something that speaks."""

    @property
    def sample_rate_hz(self) -> int:
        """Rate of what `speak` yields."""
        ...

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names that a request may ask for; empty if there is but one."""
        ...

    def speak(self, request: Request) -> Iterator[bytes]:
        """Yield int16 LE mono PCM, a sentence at a time."""
        ...


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECS
    voice: Voice

    def do_GET(self) -> None:
        """Answer the health check."""
        if self.path == "/health":
            self._answer(HTTPStatus.OK, {"status": "ok"})
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is only GET /health and POST /synthesize.")

    def do_POST(self) -> None:
        """Speak."""
        if self.path != "/synthesize":
            self._refuse(HTTPStatus.NOT_FOUND, "There is only GET /health and POST /synthesize.")
            return
        request = self._request()
        if request is None:
            return
        if request.speaker and request.speaker not in self.voice.speakers:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "speaker: This voice has no such one.")
            return
        self._speak(request)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: what is said is private."""

    def _request(self) -> Request | None:
        """Read the body; answer with what is wrong with it, if anything is."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing.")
            return None
        if int(length) > _MAX_BODY_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The limit is {_MAX_BODY_BYTES} bytes."
            )
            return None
        body = self.rfile.read(int(length))
        # A page in a browser cannot send this type to another origin without asking first.
        if self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
            return None
        try:
            return Request.model_validate_json(body)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in details["loc"]) or "body"
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {details['msg']}")
            return None

    def _speak(self, request: Request) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("X-Sample-Rate", str(self.voice.sample_rate_hz))
        self.send_header("Transfer-Encoding", "chunked")
        try:
            self.end_headers()
            for pcm in self.voice.speak(request):
                if pcm:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(pcm), pcm))
                if self._client_left():
                    self.close_connection = True
                    return
            self.wfile.write(b"0\r\n\r\n")
        except ConnectionError:
            self.close_connection = True

    def _client_left(self) -> bool:
        """Whether the listener hung up: nobody pipelines here, so more input means its end."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _answer(self, status: HTTPStatus, body: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer an error and close: the body may be unread."""
        self.close_connection = True
        self._answer(status, {"error": reason})


class VoiceServer(ThreadingHTTPServer):
    """Bound to loopback from the start, but deaf until `answer`."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler, bind_and_activate=False)
        try:
            self.server_bind()
        except OSError:
            self.server_close()
            raise

    def server_bind(self) -> None:
        """Bind without asking the name service who 127.0.0.1 is: there may be no network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", int(self.server_address[1])

    def answer(self, voice: Voice) -> None:
        """Answer with that voice until `shutdown` is called."""
        self.RequestHandlerClass = type("_VoiceHandler", (_Handler,), {"voice": voice})
        self.server_activate()
        self.serve_forever()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say what went wrong in a line, without the words that were to be spoken."""
        kind = sys.exc_info()[0]
        sys.stderr.write(f"request failed: {kind.__name__ if kind else 'unknown'}\n")
