"""Addresses as they are said: web pages, mail, telephones."""

from __future__ import annotations

import re

from processors.wording.numerals import digits

_SIGNS = {".": "dot", "-": "dash", "_": "underscore", "+": "plus", "%": "percent", "&": "and"}
_MAIL = re.compile(r"(?:mailto:)?\b([\w.%+-]{1,64})@([\w-]{1,63}(?:\.[\w-]{1,63})+)", re.I)
_URL = re.compile(r"\b(?:https?://|www\.)([^\s/?#<>()\"']{1,253})([/?#][^\s<>\"']*)?", re.I)
_DOMAIN = re.compile(
    r"(?<![\w@.-])((?:[a-z0-9-]{1,63}\.)+(?:com|org|net|edu|gov|info|io|dev|ai|app|co|eu|de|fr|uk"
    r"|us|ca|au|nl|ch|tv|me))(/[\w./-]*)?(?![\w-])",
    re.I,
)
_HANDLE = re.compile(r"(?<!\w)@(\w+)")
_PHONE = re.compile(r"(?<![\w.,/-])(?:\+\s?\d|\(?\d)(?:[\s().\-]{0,2}\d){5,15}(?![\w/-])(?!\.\d)")
_GROUPED = re.compile(r"(?:1[\s.-]?)?\(?\d{3}\)?[\s.-]{1,2}\d{3}[\s.-]\d{4}|\d{3}[.-]\d{4}")
_SOLID = re.compile(r"\d{10,}")


def contacts(text: str) -> str:
    """Web, mail and telephone addresses in `text` as words."""
    text = _MAIL.sub(lambda found: f"{_spelled(found[1])} at {_spelled(found[2])}", text)
    text = _URL.sub(lambda found: _page(found[1], found[2]), text)
    text = _DOMAIN.sub(lambda found: _page(found[1], found[2]), text)
    text = _HANDLE.sub(r"at \1", text)
    return _PHONE.sub(_phone, text)


def _page(host: str, path: str | None) -> str:
    """A page by its site and, if it is one plain word, its path: the rest nobody can remember."""
    address = host + (path or "")
    bare = address.rstrip(".,;:!?")
    site, _, rest = bare.partition("/")
    site, _, port = re.split(r"[?#]", site)[0].rpartition("@")[2].partition(":")
    said = _spelled(site.lower().removeprefix("www."))
    said += f" port {digits(port)}" if port.isdecimal() else ""
    said += f" slash {rest.strip('/')}" if re.fullmatch(r"/?[a-z]{2,20}/?", rest) else ""
    return said + address[len(bare) :][:1]


def _spelled(address: str) -> str:
    spelled = re.sub(r"[.\-_+%&]", lambda found: f" {_SIGNS[found[0]]} ", address)
    return " ".join(spelled.split())


def _phone(found: re.Match[str]) -> str:
    """Digit by digit, a breath between the groups; what is no telephone stays."""
    written = found[0]
    count = sum(character.isdecimal() for character in written)
    national = written.startswith("0") and count <= 12 and not re.match(r"0\.\d+$", written)
    abroad = written.startswith("+")
    if not (national or abroad or _GROUPED.fullmatch(written) or _SOLID.fullmatch(written)):
        return written
    groups = ", ".join(digits(group) for group in re.findall(r"\d+", written))
    return f"plus {groups}" if abroad else groups
