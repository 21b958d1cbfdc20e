"""What a caller experienced, read off the two tracks of a call whose script is known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from records.ear import PAUSE_MS, REACTION_MS
from records.gate import EnergyGate, Samples

RATE_HZ = 16_000
SILENT_MS = 150
"""A shorter silence of the bot is no pause that anybody notices."""
RESUMED_MS = 1_000
"""A bot that is silent for longer has stopped."""
_AFTER_SOUND_MS = 1_000
"""A silence that begins later was not caused by the sound."""
_EDGE_MS = 30
_LATE_MS = 500
"""How far from when it was said a clip may be found."""

Span = tuple[float, float]
"""From and to, in ms on the tracks' clock."""


@dataclass(frozen=True)
class Turn:
    """One turn of the caller, and what the bot did."""

    start_ms: float
    """First speech sample."""
    end_ms: float
    """Last speech sample of the whole turn."""
    ear_ms: float | None
    """From the end to the bot's first audible sample; None without an answer, and where the bot
    was already speaking."""
    stop_ms: float | None
    """How long the bot was heard after the caller's first speech sample; None if it was silent."""
    cut_ins: int
    """How often the bot began to speak before the turn was over."""


@dataclass(frozen=True)
class Sound:
    """A sound that is no turn, made over the bot's speech, and what the bot did."""

    silent_ms: float
    """The longest silence that it caused; 0 if none was over `SILENT_MS`, infinite if it lasts."""
    went_on: bool
    """Whether the same reply was heard again within `RESUMED_MS`."""

    @property
    def paused(self) -> bool:
        """Whether the bot fell silent at all."""
        return self.silent_ms > 0


def locate(
    tracks: Samples, clips: Sequence[bytes], said_at_ms: Sequence[float]
) -> list[Span | None]:
    """Where each clip, played in this order, is on the caller's track.

    None for a clip that is not there as it was played: the machine stood still meanwhile.

    Args:
        tracks: One row a sample; the caller in the first column, the bot in the second.
        clips: int16 LE mono at 16 kHz.
        said_at_ms: When each was queued to be played, on a clock of its own.
    """
    track = tracks[:, 0].astype("<i2").tobytes()
    spans: list[Span | None] = []
    ahead_ms = None
    for clip, said_ms in zip(clips, said_at_ms, strict=True):
        first, last = 0, len(track)
        if ahead_ms is not None:
            first = max(0, _bytes(said_ms - ahead_ms - _LATE_MS))
            last = max(0, _bytes(said_ms - ahead_ms + _LATE_MS)) + len(clip)
        found = _find(clip, track, first=first, last=last)
        spans.append((_ms(found // 2), _ms((found + len(clip)) // 2)) if found >= 0 else None)
        if found >= 0:
            ahead_ms = said_ms - _ms(found // 2)
    return spans


def _find(clip: bytes, track: bytes, *, first: int, last: int) -> int:
    """Where whole samples of `track` are `clip`, in bytes; negative if nowhere."""
    found = track.find(clip, first, last)
    while found > 0 and found % 2:
        found = track.find(clip, found + 1, last)
    return found


def read_turns(tracks: Samples, spans: Sequence[Span]) -> list[Turn]:
    """What the bot did about each turn.

    Args:
        tracks: One row a sample; the caller in the first column, the bot in the second.
        spans: Where the turns were played, in order.
    """
    caller = _runs(tracks[:, 0], room=True)
    bot = _joined(_runs(tracks[:, 1], room=False), PAUSE_MS)
    edges = [_edges(span, caller) for span in spans]
    nexts = [start for start, _ in edges[1:]] + [_ms(len(tracks))]
    return [_turn(edge, until, bot) for edge, until in zip(edges, nexts, strict=True)]


def read_sounds(
    tracks: Samples, spans: Sequence[Span], replies_ms: Sequence[float]
) -> list[Sound | None]:
    """What the bot did at each sound; None where it was not speaking anyway.

    Args:
        tracks: One row a sample; the caller in the first column, the bot in the second.
        spans: Where the sounds were played, in order.
        replies_ms: When the replies began to be played: whoever begins another has not gone on.
    """
    bot = _joined(_runs(tracks[:, 1], room=False), SILENT_MS)
    return [_sound(span, bot, replies_ms) for span in spans]


def _turn(edges: Span, until: float, bot: Sequence[Span]) -> Turn:
    start, end = edges
    over = [b for b in bot if b[0] < start < b[1]]
    cut_ins = [b for b in bot if start + REACTION_MS <= b[0] < end]
    answers = [b for b in bot if end <= b[0] < until]
    talks = any(b[0] < end < b[1] for b in bot)
    return Turn(
        start_ms=start,
        end_ms=end,
        ear_ms=answers[0][0] - end if answers and not talks else None,
        stop_ms=over[0][1] - start if over else None,
        cut_ins=len(cut_ins),
    )


def _sound(span: Span, bot: Sequence[Span], replies_ms: Sequence[float]) -> Sound | None:
    start, end = span
    if not any(b[0] < start < b[1] for b in bot):
        return None
    silences = [
        (before[1], after[0])
        for before, after in zip(bot, [*bot[1:], (float("inf"), 0.0)], strict=True)
        if start <= before[1] <= end + _AFTER_SOUND_MS
    ]
    longest_ms = max((until - since for since, until in silences), default=0.0)
    until_ms = max((min(until, since + RESUMED_MS) for since, until in silences), default=end)
    another = any(start <= reply_ms <= until_ms for reply_ms in replies_ms)
    return Sound(longest_ms, went_on=longest_ms <= RESUMED_MS and not another)


def _edges(span: Span, caller: Sequence[Span]) -> Span:
    """The first and the last speech sample of a turn."""
    inside = [run for run in caller if run[1] > span[0] + _EDGE_MS and run[0] < span[1] - _EDGE_MS]
    return (max(inside[0][0], span[0]), min(inside[-1][1], span[1])) if inside else span


def _joined(runs: Sequence[Span], pause_ms: float) -> list[Span]:
    """Runs with the silences up to `pause_ms` between them filled."""
    joined: list[Span] = []
    for run in runs:
        if joined and run[0] - joined[-1][1] <= pause_ms:
            joined[-1] = joined[-1][0], run[1]
        else:
            joined.append(run)
    return joined


def _runs(track: Samples, *, room: bool) -> list[Span]:
    gate = EnergyGate(RATE_HZ, room=room, remember_secs=len(track) / RATE_HZ)
    gate.feed(track)
    return [(_ms(run.start), _ms(run.end)) for run in gate.runs]


def _bytes(ms: float) -> int:
    return int(ms) * RATE_HZ // 1000 * 2


def _ms(samples: int) -> float:
    return samples * 1000 / RATE_HZ
