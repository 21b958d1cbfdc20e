"""Of Twilio's messages only this caller's sound and keys come in; what is sent Twilio knows."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
    TextFrame,
)
from pipecat.processors.frame_processor import FrameProcessorSetup
from starlette.websockets import WebSocketState

from evals.simulators import _mulaw
from pipelines.transports import AUDIO_IN_HZ, twilio_transport
from pipelines.twilio import MAX_MESSAGE_CHARS, PhoneFrames
from pipelines.websocket import FINISH_SECS
from tests.support.pipes import Tap, flowing

pytestmark = pytest.mark.unit

STREAM = "MZ00000000000000000000000000000001"
SOUND = bytes(160)


async def phone_frames() -> PhoneFrames:
    frames = PhoneFrames(STREAM)
    setup: Any = type("Setup", (), {"audio_in_sample_rate": AUDIO_IN_HZ})()
    await frames.setup(cast(FrameProcessorSetup, setup))
    return frames


def media(sound: bytes = SOUND, *, stream: str = STREAM, **more: Any) -> str:
    payload = base64.b64encode(sound).decode()
    part = {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": payload} | more
    return json.dumps({"event": "media", "sequenceNumber": "2", "streamSid": stream, "media": part})


def key(digit: str, stream: str = STREAM) -> str:
    return json.dumps({"event": "dtmf", "streamSid": stream, "dtmf": {"digit": digit}})


def mark(name: str, stream: str = STREAM) -> str:
    return json.dumps({"event": "mark", "streamSid": stream, "mark": {"name": name}})


async def test_the_callers_sound_and_keys_come_through() -> None:
    frames = await phone_frames()
    tone = np.rint(8000 * np.sin(np.arange(1600) / 3)).astype(np.int16)
    heard = await frames.deserialize(media(_mulaw.compress(tone)))
    assert isinstance(heard, InputAudioRawFrame)
    assert (heard.sample_rate, heard.num_channels, len(heard.audio)) == (AUDIO_IN_HZ, 1, 6400)
    assert np.abs(np.frombuffer(heard.audio, np.int16)).max() == pytest.approx(8000, rel=0.05)
    pressed = await frames.deserialize(key("#"))
    assert isinstance(pressed, InputDTMFFrame)
    assert pressed.button.value == "#"


@pytest.mark.parametrize(
    "data",
    [
        media(stream="MZ2"),
        media(track="outbound"),
        media(payload="%%%%"),
        media(payload="ü"),
        media(payload="AAA"),
        media(payload=""),
        media(payload=7),
        media(bytes(MAX_MESSAGE_CHARS)),
        media().encode(),
        key("12"),
        key("x"),
        key(""),
        key("1", stream="MZ2"),
        mark("end"),
        json.dumps({"event": "connected", "protocol": "Call"}),
        json.dumps({"event": "stop", "streamSid": STREAM}),
        json.dumps({"event": "media", "streamSid": STREAM}),
        json.dumps({"event": ["media"], "streamSid": STREAM}),
        json.dumps({"event": "media", "streamSid": STREAM, "media": [1]}),
        "[" * MAX_MESSAGE_CHARS,
        "null",
        "{",
        "",
    ],
)
async def test_nothing_else_does(data: str | bytes) -> None:
    assert await (await phone_frames()).deserialize(data) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


messages = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["media", "dtmf", "mark", "start"]),
        "streamSid": st.just(STREAM),
        "media": json_values
        | st.fixed_dictionaries({"track": st.just("inbound"), "payload": json_values}),
        "dtmf": json_values | st.fixed_dictionaries({"digit": json_values}),
    }
)


@given(data=st.text(max_size=100) | messages.map(json.dumps))
def test_whatever_comes_the_call_goes_on(data: str) -> None:
    async def take() -> None:
        frame = await (await phone_frames()).deserialize(data)
        assert frame is None or isinstance(frame, InputAudioRawFrame | InputDTMFFrame)

    asyncio.run(take())


async def test_a_flood_is_dropped() -> None:
    frames = await phone_frames()
    sounds = [await frames.deserialize(media(bytes(800))) for _ in range(100)]
    keys = [await frames.deserialize(key("1")) for _ in range(200)]
    assert [sounds[0], keys[0]].count(None) == 0
    assert sounds[-1] is keys[-1] is None


async def test_sound_goes_out_as_the_telephone_has_it() -> None:
    frames = await phone_frames()
    tone = np.rint(8000 * np.sin(np.arange(4800) / 9)).astype(np.int16)
    sent = await frames.serialize(OutputAudioRawFrame(tone.tobytes(), 24_000, 1))
    assert sent
    message = json.loads(sent)
    assert (message["event"], message["streamSid"]) == ("media", STREAM)
    sound = _mulaw.expand(base64.b64decode(message["media"]["payload"]))
    assert len(sound) == 1600
    assert np.abs(sound[100:]).max() == pytest.approx(8000, rel=0.05)


async def test_an_interruption_empties_twilios_buffer() -> None:
    sent = await (await phone_frames()).serialize(InterruptionFrame())
    assert sent
    assert json.loads(sent) == {"event": "clear", "streamSid": STREAM}


@pytest.mark.parametrize(
    "frame",
    [
        OutputTransportMessageFrame({"label": "rtvi-ai", "type": "bot-ready"}),
        OutputTransportMessageUrgentFrame({"event": "clear", "streamSid": "MZ2"}),
        TextFrame("words"),
        EndFrame(),
    ],
)
async def test_nothing_is_sent_that_no_telephone_needs(frame: Any) -> None:
    assert await (await phone_frames()).serialize(frame) is None


class _Line:
    """A WebSocket to a Twilio that answers a mark late, or never."""

    client_state = application_state = WebSocketState.CONNECTED

    def __init__(self, answers: list[str], late_secs: float) -> None:
        self.headers: dict[str, str] = {}
        self.sent: list[Any] = []
        self._answers, self._late_secs = answers, late_secs

    async def send_text(self, data: str) -> None:
        self.sent.append(json.loads(data))

    async def receive(self) -> dict[str, Any]:
        while not (self.sent and self._answers):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        await asyncio.sleep(self._late_secs)
        return {"type": "websocket.receive", "text": self._answers.pop(0)}

    async def close(self, *_: object) -> None:
        self.sent.append("closed")


async def ended(answers: list[str], late_secs: float) -> tuple[list[Any], float]:
    """What was sent on a line that is closed, and how long the close took."""
    line = _Line(answers, late_secs)
    transport = twilio_transport(line, STREAM)
    tap, loop = Tap(), asyncio.get_running_loop()
    async with flowing(transport.input(), transport.output(), tap, audio_in_sample_rate=16_000):
        began = loop.time()
    return line.sent, loop.time() - began


async def test_the_stream_is_closed_when_twilio_has_played_everything() -> None:
    answers = [mark("other"), media(), mark("end", "MZ2"), mark("end"), mark("later")]
    sent, _ = await ended(answers, late_secs=0.02)
    assert sent[-2:] == [
        {"event": "mark", "streamSid": STREAM, "mark": {"name": "end"}},
        "closed",
    ]
    assert answers == [mark("later")]


async def test_a_twilio_that_does_not_answer_is_not_waited_for_for_long() -> None:
    sent, took_secs = await ended([], late_secs=0)
    assert sent[-1] == "closed"
    assert took_secs >= FINISH_SECS
