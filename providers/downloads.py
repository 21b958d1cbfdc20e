"""One file over HTTP: resumed where it stopped, retried a bounded number of times, then hashed."""

from __future__ import annotations

import random
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from providers.store import sha256_of

if TYPE_CHECKING:
    import httpx

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
OK, PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE, TOO_MANY_REQUESTS, SERVER_FAULT = (
    200, 206, 416, 429, 500,
)  # fmt: skip


class SourceError(Exception):
    """One source did not give the file; the next one is tried."""


class CancelledError(Exception):
    """Another thread of the same pull failed or was interrupted."""


class _TryAgainError(Exception):
    """A fault that may pass."""

    def __init__(self, message: str, *, after_secs: float = 0, unreachable: bool = False) -> None:
        super().__init__(message)
        self.after_secs = after_secs
        self.unreachable = unreachable


Moved = Callable[[int, int | None], None]
"""Told how many bytes of a file are here, and of how many if that is known.

Absolute numbers, since beginning anew takes them back.
"""


@dataclass(frozen=True)
class Retry:
    """How long to insist."""

    attempts: int = 5
    """Tries in a row that gain nothing. A try that moved bytes starts the count again."""
    connect_attempts: int = 2
    """The same for a host that never answered."""
    base_secs: float = 0.5
    cap_secs: float = 10.0

    def delay_secs(self, attempt: int, *, jitter: float) -> float:
        """Wait before try `attempt` + 1; `jitter` is a random number from 0 to 1."""
        return min(self.cap_secs, self.base_secs * 2**attempt) * (0.5 + jitter / 2)


@dataclass(frozen=True)
class Want:
    """What is known of a file before it is here."""

    sha256: str | None
    size_bytes: int | None = None


@dataclass(frozen=True)
class _Job:
    url: str
    part: Path
    want: Want
    moved: Moved

    @property
    def host(self) -> str:
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def here_bytes(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0


class Patience:
    """Counts the tries of one download and says when it is over."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.attempt = 0
        """Tries in a row that gained nothing."""
        self.answered = False
        """Whether the host ever said anything."""

    def failed(self, *, gained: bool, unreachable: bool) -> None:
        """Note a try that did not finish."""
        self.answered = self.answered or gained or not unreachable
        self.attempt = 0 if gained else self.attempt + 1

    @property
    def is_over(self) -> bool:
        """Whether another try is one too many."""
        retry = self._retry
        return self.attempt >= (retry.attempts if self.answered else retry.connect_attempts)


def redact(text: str) -> str:
    """Remove from every address in `text` what may be secret: user, password and query."""
    text = re.sub(r"(https?://)[^/@\s]+@", r"\1***@", text)
    return re.sub(r"(https?://[^\s?]+)\?[^\s]*", r"\1?***", text)


class Downloader:
    """Downloads for one pull; remembers hosts that cannot be reached."""

    def __init__(self, *, env: Mapping[str, str], retry: Retry) -> None:
        self._env = env
        self._retry = retry
        self._unreachable: dict[str, str] = {}
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()
        self.cancelled = threading.Event()

    def close(self) -> None:
        """Stop what runs in other threads and close the connections."""
        self.cancelled.set()
        if self._client:
            self._client.close()

    def fetch(self, url: str, target: Path, *, want: Want, moved: Moved) -> None:
        """Download `url` to `target`, through `target`.part, which an earlier try may have left.

        A wrong hash after a resumed download is blamed on the old part: it starts once again.

        Raises:
            SourceError: It cannot be had from there, or it is not what it should be.
        """
        job = _Job(url, target.with_name(f"{target.name}.part"), want, moved)
        resumed = job.here_bytes > 0
        self._insist(job)
        if want.sha256 and (got := sha256_of(job.part)) != want.sha256:
            job.part.unlink()
            if not resumed:
                raise SourceError(f"wrong content: expected SHA-256 {want.sha256}, got {got}")
            self.fetch(url, target, want=want, moved=moved)
            return
        job.part.replace(target)

    def _insist(self, job: _Job) -> None:
        """Fill the part, trying again after faults that may pass."""
        if reason := self._unreachable.get(job.host):
            raise SourceError(reason)
        if self.cancelled.is_set():
            raise CancelledError
        patience = Patience(self._retry)
        while True:
            before_bytes = job.here_bytes
            try:
                self._stream(job)
                return
            except _TryAgainError as error:
                failure = error
            gained = job.here_bytes > before_bytes
            patience.failed(gained=gained, unreachable=failure.unreachable)
            if patience.is_over:
                break
            self._pause(patience.attempt, failure.after_secs)
        if not patience.answered:
            self._unreachable[job.host] = str(failure)
        raise SourceError(str(failure)) from failure

    def _pause(self, attempt: int, at_least_secs: float) -> None:
        wait_secs = self._retry.delay_secs(attempt, jitter=random.random())
        if self.cancelled.wait(max(wait_secs, at_least_secs)):
            raise CancelledError

    def _stream(self, job: _Job) -> None:
        """One try: ask for what the part lacks and append it."""
        import httpx

        start = job.here_bytes
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with self._http().stream("GET", job.url, headers=headers) as response:
                if not _is_complete(response, start):
                    self._append(response, job, _first_byte(response, job.part, start))
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise SourceError(f"not a usable address: {redact(job.url)}") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            said = redact(str(error)) or type(error).__name__
            raise _TryAgainError(f"could not connect ({said})", unreachable=True) from error
        except httpx.TransportError as error:
            said = redact(str(error)) or type(error).__name__
            raise _TryAgainError(f"the connection broke ({said})") from error
        except httpx.HTTPError as error:
            raise SourceError(redact(str(error))) from error

    def _append(self, response: httpx.Response, job: _Job, start: int) -> None:
        length = response.headers.get("Content-Length")
        total_bytes = start + int(length) if length else job.want.size_bytes
        done_bytes = start
        with job.part.open("ab" if start else "wb") as file:
            for chunk in response.iter_raw():
                if self.cancelled.is_set():
                    raise CancelledError
                file.write(chunk)
                done_bytes += len(chunk)
                if job.want.size_bytes and done_bytes > job.want.size_bytes:
                    job.part.unlink()
                    raise SourceError(f"wrong content: more than {job.want.size_bytes} bytes")
                job.moved(done_bytes, total_bytes)

    def _http(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(
                    verify=_certificates(self._env),
                    follow_redirects=True,
                    timeout=httpx.Timeout(30.0, connect=5.0),
                )
            return self._client


def _is_complete(response: httpx.Response, start: int) -> bool:
    """Whether the part has every byte already, said by the refusal to send more."""
    if response.status_code != RANGE_NOT_SATISFIABLE:
        return False
    return response.headers.get("Content-Range", "") == f"bytes */{start}"


def _first_byte(response: httpx.Response, part: Path, start: int) -> int:
    """Position in the file of the answer's first byte: `start`, or 0 to begin anew."""
    status = response.status_code
    if status == RANGE_NOT_SATISFIABLE:
        part.unlink(missing_ok=True)
        raise _TryAgainError("the unfinished file was longer than the whole one")
    if status == TOO_MANY_REQUESTS or status >= SERVER_FAULT:
        raise _TryAgainError(f"HTTP status {status}", after_secs=_retry_after_secs(response))
    if status not in (OK, PARTIAL_CONTENT):
        raise SourceError(f"HTTP status {status}")
    if status == OK:
        return 0
    if response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        return start
    part.unlink(missing_ok=True)
    raise _TryAgainError("the server sent another range than the one asked for")


def _certificates(env: Mapping[str, str]) -> ssl.SSLContext:
    """The machine's certificates, and the bundles that pip and others are told to trust."""
    import httpx

    try:
        context = httpx.create_ssl_context()
        context.load_default_certs()
        for bundle in filter(None, map(env.get, CERTIFICATE_VARIABLES)):
            context.load_verify_locations(cafile=bundle)
    except OSError as error:
        names = ", ".join(CERTIFICATE_VARIABLES)
        raise SourceError(f"no usable certificates in {names}: {error}") from error
    return context


def _retry_after_secs(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return min(30.0, float(value)) if value.isdigit() else 0.0
