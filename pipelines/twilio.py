"""A phone call over Twilio's Media Streams: what Twilio may send, and what it is sent."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Literal

from pipecat.frames.frames import Frame, InterruptionFrame, OutputAudioRawFrame
from pipecat.serializers.twilio import TwilioFrameSerializer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipelines.pace import Pace
from pipelines.telephone_band import TelephoneBand
from pipelines.websocket import Finish

PHONE_HZ = 8000
"""Of the µ-law sound, a byte a sample."""
MAX_MESSAGE_CHARS = 12_000
"""A second of sound and more; Twilio sends 20 ms at a time."""
_LAST_MARK = "end"


class _Wire(BaseModel):
    """A part of a message of Twilio's; what is not read here may be in it too."""

    model_config = ConfigDict(frozen=True)


class _Sound(_Wire):
    track: Literal["inbound"]
    payload: str


class _Media(_Wire):
    event: Literal["media"]
    streamSid: str
    media: _Sound


class _Key(_Wire):
    digit: str = Field(max_length=1)


class _Dtmf(_Wire):
    event: Literal["dtmf"]
    streamSid: str
    dtmf: _Key


class _MarkName(_Wire):
    name: str


class _Mark(_Wire):
    event: Literal["mark"]
    streamSid: str
    mark: _MarkName


_Message = _Media | _Dtmf | _Mark
_MESSAGES: TypeAdapter[_Message] = TypeAdapter(Annotated[_Message, Field(discriminator="event")])


class PhoneFrames(TwilioFrameSerializer):
    """Pipecat's Twilio protocol, less what is not of this call's caller.

    What cannot be read, is of another stream or comes faster than real time is dropped. Nothing
    of RTVI is sent: nobody reads it.

    Args:
        stream_sid: Twilio's name of the stream.
    """

    def __init__(self, stream_sid: str) -> None:
        # The end of the stream ends the call, without a request to Twilio.
        super().__init__(stream_sid, params=self.InputParams(auto_hang_up=False))
        self._input_resampler, self._output_resampler = TelephoneBand(), TelephoneBand()
        self._pace = Pace()
        mark = {"event": "mark", "streamSid": stream_sid, "mark": {"name": _LAST_MARK}}
        self.finish = Finish(ask=json.dumps(mark), is_answer=self._is_last_mark)

    async def serialize(self, frame: Frame) -> str | bytes | None:
        """Sound, or the order to forget the sound that is not played yet; None for the rest."""
        if isinstance(frame, OutputAudioRawFrame | InterruptionFrame):
            return await super().serialize(frame)
        return None

    async def deserialize(self, data: str | bytes) -> Frame | None:
        """The caller's sound or key; None for anything else."""
        message = self._read(data)
        if isinstance(message, _Dtmf):
            taken = self._pace.takes_message()
        else:
            sound = _decoded(message.media.payload) if isinstance(message, _Media) else b""
            taken = bool(sound) and self._pace.takes_audio(len(sound) / PHONE_HZ)
        return await super().deserialize(data) if taken else None

    def _is_last_mark(self, data: str | bytes) -> bool:
        message = self._read(data)
        return isinstance(message, _Mark) and message.mark.name == _LAST_MARK

    def _read(self, data: str | bytes) -> _Message | None:
        """A message of this stream."""
        if not isinstance(data, str) or len(data) > MAX_MESSAGE_CHARS:
            return None
        try:
            message = _MESSAGES.validate_json(data)
        except ValidationError:
            return None
        return message if message.streamSid == self._stream_sid else None


def _decoded(payload: str) -> bytes:
    """The bytes of a payload; none if it is no base64."""
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError:
        return b""
