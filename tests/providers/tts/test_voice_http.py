"""The sidecar's HTTP, with a voice that counts in place of speaking."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from providers.tts._voice_http import Request, VoiceServer

pytestmark = pytest.mark.unit


@dataclass
class Counting:
    """Yields as many chunks as the text has words."""

    sample_rate_hz: int = 22_050
    speakers: tuple[str, ...] = ("one", "two")
    pause_secs: float = 0.0
    requests: list[Request] = field(default_factory=list[Request])
    chunks: int = 0

    def speak(self, request: Request) -> Iterator[bytes]:
        self.requests.append(request)
        for number, _ in enumerate(request.text.split()):
            time.sleep(self.pause_secs)
            self.chunks += 1
            yield bytes([number, 0] * 1000)


@pytest.fixture
def voice() -> Counting:
    return Counting()


@pytest.fixture
def client(voice: Counting) -> Generator[httpx.Client]:
    server = VoiceServer(0)
    thread = threading.Thread(target=server.answer, args=(voice,))
    thread.start()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.server_address[1]}",
        transport=httpx.HTTPTransport(retries=3),
    ) as client:
        yield client
    server.shutdown()
    thread.join()
    server.server_close()


def test_health(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_speech_comes_in_pieces(client: httpx.Client, voice: Counting) -> None:
    answer = client.post("/synthesize", json={"text": "one two three"})
    assert answer.headers["X-Sample-Rate"] == "22050"
    assert answer.content == b"".join(bytes([n, 0] * 1000) for n in range(3))
    assert voice.requests == [Request(text="one two three", speed=1.0)]


def test_the_first_piece_does_not_wait_for_the_last(client: httpx.Client, voice: Counting) -> None:
    voice.pause_secs = 0.2
    with client.stream("POST", "/synthesize", json={"text": "one two three"}) as answer:
        next(answer.iter_raw())
        assert voice.chunks == 1


def test_a_connection_serves_many_sentences(client: httpx.Client, voice: Counting) -> None:
    for text in ("one", "two"):
        assert client.post("/synthesize", json={"text": text, "speed": 1.5}).is_success
    assert [request.speed for request in voice.requests] == [1.5, 1.5]


def test_synthesis_stops_when_the_listener_leaves(client: httpx.Client, voice: Counting) -> None:
    voice.pause_secs = 0.05
    with client.stream("POST", "/synthesize", json={"text": "word " * 100}) as answer:
        next(answer.iter_raw())
    time.sleep(0.3)
    spoken = voice.chunks
    time.sleep(0.3)
    assert voice.chunks == spoken < 20


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ('{"text": ""}', 422, "text"),
        ('{"text": "a", "speed": 9}', 422, "speed"),
        ('{"texts": "a"}', 422, "text"),
        ('{"text": "a", "speaker": "three"}', 422, "speaker"),
        ('{"text": "' + "a" * 2001 + '"}', 422, "text"),
        ("{", 422, "body"),
        ("x" * 20_000, 413, "16384"),
    ],
)
def test_what_cannot_be_said_is_named(
    client: httpx.Client, body: str, status: int, says: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/synthesize", content=body, headers=headers)
    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_a_web_page_cannot_make_it_speak(client: httpx.Client, voice: Counting) -> None:
    """A form or a plain-text request needs no permission from the other origin; JSON does."""
    answer = client.post(
        "/synthesize", content='{"text": "a"}', headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 415
    assert voice.requests == []


def test_there_is_nothing_else(client: httpx.Client) -> None:
    assert client.get("/").status_code == 404
    assert client.post("/", json={}).status_code == 404
    assert client.put("/synthesize", json={}).status_code == 501


def test_no_length_no_answer(client: httpx.Client) -> None:
    answer = client.post("/synthesize", content=iter([b"{}"]))
    assert answer.status_code == 411


def test_a_taken_port_is_an_error() -> None:
    first = VoiceServer(0)
    first.server_activate()
    with pytest.raises(OSError, match="in use"):
        VoiceServer(int(first.server_address[1]))
    first.server_close()
