"""Markdown and HTML as plain sentences, the way somebody would read a page aloud."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)|```.*?(?:```|\Z)", re.M | re.S)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]*)>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_REFERENCE = re.compile(r"^[ \t]*\[[^\[\]]+\]:[ \t]*\S+.*$", re.M)
_FOOTNOTE = re.compile(r"\[\^?\d+\](?!\()")
_CODE = re.compile(r"`+([^`]*)`+")
_STRUCK = re.compile(r"[ \t]?~~(?=\S)[^~]+~~")
_RULE = re.compile(r"[ \t]*([-*_=])(?:[ \t]*\1){2,}[ \t]*")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t:|-]*-{2,}[ \t:|-]*")
_TABLE_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*")
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]+(.*?)[ \t#]*")
_BULLET = re.compile(r"[ \t]*[-+*•◦▪‣·][ \t]+(?:\[[ xX]?\][ \t]+)?(.*)")
_NUMBERED = re.compile(r"[ \t]*(\d{1,2})[.)][ \t]+(.*)")
_STRONG = re.compile(r"(?<!\\)(\*{2,3}|_{2,3})(?=\S)(.+?)(?<=[^\s\\])\1", re.S)
_STARRED = re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*]+)(?<=[^\s\\])\*(?![\w*])")
_EMPHASIS = re.compile(r"(?<![\w_])_(?=[^\s_])(.+?)(?<=[^\s_])_(?![\w_])", re.S)
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|>~])")
_ENDED = re.compile(r"[.!?:;,…][\"')\]]*$")


def plain(text: str) -> str:
    """Text without markup: code blocks are gone, list items and headings are sentences."""
    text = _FENCE.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _COMMENT.sub(" ", text)
    text = _AUTOLINK.sub(r" \1 ", text)
    text = html.unescape(_TAG.sub(" ", text))
    text = _REFERENCE.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _FOOTNOTE.sub("", text)
    text = _CODE.sub(r"\1", text)
    text = _STRUCK.sub("", text)
    text = _join(text.split("\n"))
    text = _STRONG.sub(r"\2", text)
    text = _STARRED.sub(r"\1", text)
    text = _EMPHASIS.sub(r"\1", text)
    return _ESCAPE.sub(r"\1", text)


def _join(lines: list[str]) -> str:
    """One line of sentences: each block ends one, a wrapped line goes on."""
    spoken: list[str] = []
    for line in lines:
        said, is_block = _line(_QUOTE.sub("", line))
        starts_new = is_block or not said
        if starts_new and spoken:
            spoken[-1] = ended(spoken[-1])
        if said:
            spoken.append(ended(said) if is_block else said)
    return " ".join(spoken)


def _line(line: str) -> tuple[str, bool]:
    """A line's words, and whether it is a block of its own."""
    if _RULE.fullmatch(line) or ("|" in line and _TABLE_RULE.fullmatch(line)):
        return "", True
    for pattern, read in _BLOCKS:
        found = pattern.fullmatch(line)
        if found:
            return read(found).strip(), True
    return line.strip(), False


def ended(sentence: str) -> str:
    """The sentence with a full stop, unless it ends in a mark already."""
    return sentence if not sentence or _ENDED.search(sentence) else f"{sentence}."


def _cells(row: re.Match[str]) -> str:
    cells = (cell.strip() for cell in row.group().strip().strip("|").split("|"))
    return ", ".join(cell for cell in cells if cell)


_BLOCKS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_HEADING, lambda found: found[1]),
    (_NUMBERED, lambda found: f"{found[1]}, {found[2]}"),
    (_BULLET, lambda found: found[1]),
    (_TABLE_ROW, _cells),
)
