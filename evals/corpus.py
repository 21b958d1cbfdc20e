"""Human speech to test with, from Debian's packages: nothing synthetic, nothing committed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from errors import MissingError

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")


@dataclass(frozen=True)
class Clip:
    """A recording and what is said in it."""

    path: Path
    text: str


def librivox() -> list[Clip]:
    """Five sentences of an audiobook, 3 to 7 s, from Debian's `pocketsphinx-testdata` (BSD-2).

    Raises:
        MissingError: The package is not installed.
    """
    listing = LIBRIVOX / "transcription"
    if not listing.exists():
        raise MissingError(
            "The test speech is not on this machine: `apt-get install pocketsphinx-testdata`."
        )
    clips: list[Clip] = []
    for line in listing.read_text("utf-8").splitlines():
        said, _, name = line.rpartition("(")
        path = LIBRIVOX / f"{name.strip(' )')}.wav"
        text = said.replace("<s>", "").replace("</s>", "").strip()
        if path.exists():
            # The listing has a word that the reader does not say.
            clips.append(Clip(path, text.replace("more a amiable", "more amiable")))
    return sorted(clips, key=lambda clip: clip.path)
