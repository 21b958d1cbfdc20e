"""Keeps what was said out of the lines that libraries log, and callers' numbers out of all."""

from __future__ import annotations

import re

_HIDDEN = "[...]"

_TELLING = re.compile(
    r"(not speaking |arguments: |Dropping (?:buffered )?word |force-complete: "
    r"|(?:JSON|RTVI) (?:message|response):? |[Ii]nvalid message: |processing message: "
    r"|content type in context message: |dial-(?:in|out) (?:error|warning): |DTMF tone: )"
    r"[^\n]+"
)
"""After these of Pipecat's words comes what somebody said, wrote or dialled."""
_FRAME = re.compile(r"\b(\w*Frame#\d+)\([^\n]*")
"""How Pipecat writes a frame, with its text."""
_INPUT = re.compile(r"(?s)(input_value=).*?(?=, input_type=)")
"""How pydantic quotes what it refuses."""
_QUOTED = re.compile(r"""(['"]failed_generation['"]: ).+""")
"""How a vendor quotes what the model wrote, to the end of its answer."""
_NUMBER = re.compile(r"\+\d(?:[ .()-]{0,2}\d){6,14}\b")
"""A telephone number as it is dialled from abroad."""


def without_words(line: str) -> str:
    """`line` without what is known to be somebody's words or number.

    It knows the sentences of libraries, not of ours: those never carry words above DEBUG.
    """
    line = _TELLING.sub(rf"\1{_HIDDEN}", line)
    line = _FRAME.sub(rf"\1({_HIDDEN})", line)
    line = _INPUT.sub(rf"\1{_HIDDEN}", line)
    line = _QUOTED.sub(rf"\1{_HIDDEN}", line)
    return _NUMBER.sub(_HIDDEN, line)
