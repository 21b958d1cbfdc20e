"""An error on its way to the page holds no key."""

from __future__ import annotations

import pytest
from pipecat.frames.frames import ErrorFrame, Frame, OutputTransportMessageUrgentFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.tests.utils import run_test

from processors.rtvi import DiscreetRtvi
from records.redact import hide

pytestmark = pytest.mark.unit


class _Rtvi(DiscreetRtvi):
    """Notes what is sent down the pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Frame] = []

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        self.sent.append(frame)
        await super().push_frame(frame, direction)


async def test_a_key_that_a_vendor_quotes_is_masked() -> None:
    hide("sk-quoted-0123456789")
    rtvi = _Rtvi()
    error = ErrorFrame("Incorrect API key provided: sk-quoted-0123456789.")
    await run_test(rtvi, frames_to_send=[error], frames_to_send_direction=FrameDirection.UPSTREAM)
    told = [f.message for f in rtvi.sent if isinstance(f, OutputTransportMessageUrgentFrame)]
    assert told
    assert told[0]["data"]["error"] == "Incorrect API key provided: [hidden]."
