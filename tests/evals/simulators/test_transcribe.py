"""The simulated transcription of files, as a client of the vendors meets it."""

from __future__ import annotations

import pytest
from aiohttp import ClientResponse, ClientSession, FormData
from pipecat.audio.utils import pcm_to_wav

from evals.simulators.vendors import Vendors
from tests.support.ears import LINES, behaving, quiet, sentence

pytestmark = pytest.mark.integration

PATHS = ("groq/openai/v1", "openai/v1")
BEARER = {"Authorization": "Bearer key"}
SPEECH = pcm_to_wav(sentence(1)[0], 16_000)


def form(file: bytes, **fields: str) -> FormData:
    data = FormData()
    data.add_field("file", file, filename="speech.wav", content_type="audio/wav")
    for name, value in fields.items():
        data.add_field(name, value)
    return data


async def post(
    client: ClientSession, url: str, data: FormData, *, headers: dict[str, str] = BEARER
) -> ClientResponse:
    return await client.post(f"{url}/audio/transcriptions", data=data, headers=headers)


@pytest.mark.parametrize("path", PATHS)
async def test_each_file_with_speech_is_the_next_line(path: str) -> None:
    async with Vendors(behaving(final_ms=1)) as vendors, ClientSession() as client:
        url = f"{vendors.url}/{path}"
        heard: list[str] = []
        for file in (SPEECH, pcm_to_wav(quiet(1000), 16_000), b"fLaC....", SPEECH):
            answer = await post(client, url, form(file, model="whisper-1"))
            heard.append((await answer.json())["text"])
    assert heard == [LINES[0], "", LINES[1], LINES[0]]


async def test_the_answer_has_the_shape_that_was_asked_for() -> None:
    async with Vendors(behaving(final_ms=1)) as vendors, ClientSession() as client:
        url = f"{vendors.url}/openai/v1"
        plain = await post(client, url, form(SPEECH, model="m", response_format="text"))
        assert (await plain.text()).strip() == LINES[0]
        full = await post(client, url, form(SPEECH, model="m", response_format="verbose_json"))
        body = await full.json()
    assert body["duration"] == pytest.approx(2.99, abs=0.01)
    assert [segment["text"] for segment in body["segments"]] == [LINES[1]]


@pytest.mark.parametrize(
    ("file", "fields", "says"),
    [
        pytest.param(SPEECH, {}, "model", id="model"),
        pytest.param(b"hello", {"model": "m"}, "file", id="file"),
        pytest.param(SPEECH, {"model": "m", "response_format": "xml"}, "format", id="format"),
        pytest.param(SPEECH, {"model": "m", "temperature": "hot"}, "temperature", id="warmth"),
    ],
)
async def test_a_bad_request_is_refused_in_the_vendors_words(
    file: bytes, fields: dict[str, str], says: str
) -> None:
    async with Vendors() as vendors, ClientSession() as client:
        answer = await post(client, f"{vendors.url}/openai/v1", form(file, **fields))
        assert answer.status == 400
        assert says in (await answer.json())["error"]["message"]


async def test_without_a_key_nobody_is_heard() -> None:
    async with Vendors() as vendors, ClientSession() as client:
        url = f"{vendors.url}/groq/openai/v1"
        answer = await post(client, url, form(SPEECH, model="m"), headers={})
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "invalid_api_key"
