"""The recording is a valid WAV file whenever somebody looks, also after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from records.recording import FLUSH_SECS, RecordingFile, read_tracks
from records.tracks import RATE_HZ

pytestmark = pytest.mark.unit

_WRITES_UNTIL_KILLED = """
import sys, pathlib, numpy as np
from records.recording import RecordingFile
file = RecordingFile(pathlib.Path(sys.argv[1]))
for block in range(10_000):
    rows = np.full((1600, 2), block + 1, np.int16)
    file.write(rows)
    print(file.secs, flush=True)
    sys.stdin.readline()
"""


def rows(
    secs: float, left: int = 1, right: int = 2
) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    return np.tile(np.array([left, right], np.int16), (int(secs * RATE_HZ), 1))


def test_keeps_both_tracks(tmp_path: Path) -> None:
    with RecordingFile(tmp_path / "call.wav") as file:
        for _ in range(7):
            file.write(rows(0.3))

    tracks = read_tracks(tmp_path / "call.wav")

    assert tracks.shape == (int(2.1 * RATE_HZ), 2)
    assert (tracks == [1, 2]).all()


def test_is_valid_and_nearly_complete_at_any_moment(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "call.wav")
    for _ in range(25):
        file.write(rows(0.1))
        with wave.open(str(tmp_path / "call.wav")) as source:
            assert file.secs - source.getnframes() / RATE_HZ < FLUSH_SECS + 1e-6
    file.close()


def test_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with subprocess.Popen(
        [sys.executable, "-c", _WRITES_UNTIL_KILLED, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        written_secs = 0.0
        for _ in range(23):
            written_secs = float(process.stdout.readline())
            process.stdin.write("\n")
            process.stdin.flush()
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    tracks = read_tracks(path)

    assert len(tracks) / RATE_HZ >= written_secs - FLUSH_SECS
    assert (np.diff(tracks[:, 0].astype(int)) >= 0).all()
    assert (tracks[:, 0] == tracks[:, 1]).all()


def test_stops_at_its_limit(tmp_path: Path) -> None:
    with RecordingFile(tmp_path / "call.wav", max_secs=1.0) as file:
        file.write(rows(0.7))
        assert not file.full
        file.write(rows(0.7))
        assert file.full
        file.write(rows(0.7))

    assert len(read_tracks(tmp_path / "call.wav")) == RATE_HZ


def test_writing_after_the_end_does_nothing(tmp_path: Path) -> None:
    file = RecordingFile(tmp_path / "call.wav")
    file.close()
    file.write(rows(1))
    file.close()

    assert len(read_tracks(tmp_path / "call.wav")) == 0


def test_says_what_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    with wave.open(str(tmp_path / "mono.wav"), "wb") as mono:
        mono.setparams((1, 2, 8000, 0, "NONE", ""))

    with pytest.raises(ValueError, match=r"text\.wav is no WAV file"):
        read_tracks(tmp_path / "text.wav")
    with pytest.raises(ValueError, match=r"mono\.wav is no recording of a call"):
        read_tracks(tmp_path / "mono.wav")
