"""Text for the ear: what a voice should say where the model wrote for the eye."""

from __future__ import annotations

import re
import unicodedata

from processors.wording.contacts import contacts
from processors.wording.markup import plain
from processors.wording.moments import moments
from processors.wording.numerals import numerals
from processors.wording.prices import prices

_PASSES = 5
"""What one pass uncovers (an entity in an entity, say) the next one reads; more is no text."""
_ABBREVIATIONS = {
    r"Drs?\.": "Doctor", r"Mr\.": "Mister", r"Mrs\.": "Missus", r"Ms\.": "Miz",
    r"Profs?\.": "Professor", r"Jr\.": "Junior", r"Sr\.": "Senior", r"St\.(?=\s+[A-Z])": "Saint",
    r"St\.": "Street", r"Ave\.": "Avenue", r"Rd\.": "Road", r"Blvd\.": "Boulevard",
    r"[eE]\.\s?g\.,?": "for example", r"[iI]\.\s?e\.,?": "that is", r"[eE]tc\.": "et cetera",
    r"[aA]pprox\.": "approximately", r"[vV]s\.?": "versus", r"[aA]ppts?\.": "appointment",
    r"[dD]ept\.": "department", r"[eE]st\.": "established", r"[iI]ncl\.": "including",
    r"[mM]ax\.": "maximum", r"[mM]in\.(?=\s+\d)": "minimum", r"[tT]el\.:?": "telephone",
    r"[wW]/o": "without", r"[wW]/(?=\s)": "with", r"ASAP": "as soon as possible",
    r"[bB]tw": "by the way",
}  # fmt: skip
_ABBREVIATION = re.compile("|".join(rf"(\b{short}(?!\w))" for short in _ABBREVIATIONS))
_FULL = tuple(_ABBREVIATIONS.values())
_SYMBOLS = {
    "&": " and ", "@": " at ", "=": " equals ", "+": " plus ", "%": " percent ", "#": " ",
    "≈": " about ", "~": " ", "→": ", ", "•": ", ", "·": " ", "÷": " divided by ",
    "±": " plus or minus ", "≤": " at most ", "≥": " at least ", "°": " degrees ", "§": " section ",
    "²": " squared ", "³": " cubed ", "|": ", ", "*": " ", "^": " ", "_": " ", "\\": " ", "`": " ",
}  # fmt: skip
_SYMBOL = re.compile("[" + re.escape("".join(_SYMBOLS)) + "]")
_KEPT_SYMBOLS = frozenset("$£€¥₹<>") | frozenset(_SYMBOLS)
_ALIKE = str.maketrans({
    "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{MINUS SIGN}": "-", "\N{NON-BREAKING HYPHEN}": "-", "\N{FIGURE DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "x", "\N{FRACTION SLASH}": "/",
})  # fmt: skip
_SPAN = re.compile(r"(?<=\w)\N{EN DASH}(?=\w)|(?<=[\w.])\s?[\N{EN DASH}\N{EM DASH}]\s?(?=[$£€]?\d)")
_DASH = re.compile(r"\s+-+\s+|\s*[\N{EN DASH}\N{EM DASH}]+\s*|\s*-{2,}\s*")
_SMILEY = re.compile(r"(?<!\w)(?:[:;=8][-'o]?[()DPp/|\[\]3*]|<3|[xX]D)(?!\w)")
_ABOUT = re.compile(r"~\s?(?=[$£€]?\d)")
_VULGAR = re.compile(r"(\d)?([¼½¾⅐-⅞])")
_BRACKETED = re.compile(r"\s*[(\[{]\s*([^()\[\]{}]*?)\s*[)\]}]")
_SLASH = re.compile(r"(?<=\w)\s?/\s?(?=\w)")
_DOT_INSIDE = re.compile(r"(?<=[^\W\d_])\.(?=[a-z])|(?<=\w)\.(?=\d)")
_STUCK = re.compile(r"(?<=[a-z][.!?])(?=[A-Z][a-z])")
_UNSAID = re.compile(r"[^\w\s'.,;:!?-]|_")


def speakable(text: str) -> str:
    """Words in place of Markdown, addresses, numbers and signs; no emoji, no code.

    What is speakable already comes back as it is. Never raises, whatever the text.
    """
    for _ in range(_PASSES):
        said = _once(text)
        if said == text:
            break
        text = said
    return text


async def to_speech(text: str, _text_type: str) -> str:
    """`speakable` as a Pipecat text transform: the voice gets its result, the context does not."""
    return speakable(text)


def _once(text: str) -> str:
    text = plain(text)
    text = _characters(text)
    text = contacts(text)
    text = _ABBREVIATION.sub(_expand, text)
    text = _ABOUT.sub("about ", text)
    text = prices(moments(text))
    text = numerals(text)
    return _marks(text)


def _characters(text: str) -> str:
    """One form for each character, and none that only the eye knows."""
    text = _SPAN.sub("-", _SMILEY.sub(" ", text.translate(_ALIKE)))
    text = _VULGAR.sub(_vulgar, text)
    text = "".join(map(_seen, text))
    return unicodedata.normalize("NFKC", text).translate(_ALIKE)


def _seen(character: str) -> str:
    if character.isascii() or character in _KEPT_SYMBOLS:
        return _SYMBOLS[character] if character in "²³" else character
    kind = unicodedata.category(character)
    if kind in ("So", "Sk", "Cs", "Cn", "Co", "Cf", "Cc", "Zl", "Zp") or kind == "Me":
        return " " if kind in ("So", "Zl", "Zp") else ""
    return "" if "\ufe00" <= character <= "\ufe0f" else character


def _vulgar(found: re.Match[str]) -> str:
    fraction = unicodedata.normalize("NFKC", found[2]).translate(_ALIKE)
    return f"{found[1] or ''} {fraction}"


def _expand(found: re.Match[str]) -> str:
    full = _FULL[(found.lastindex or 1) - 1]
    rest = found.string[found.end() :]
    # The stop of an abbreviation may end the sentence as well; before a name it does not.
    is_title = full[0].isupper() and full not in ("Street", "Avenue", "Road", "Boulevard")
    ends = not rest.strip() or (re.match(r"\s+[A-Z]", rest) and not is_title)
    return f"{full}." if found[0].endswith(".") and ends else full


def _marks(text: str) -> str:
    """Only the marks that a voice knows, each once and in its place."""
    text = _SLASH.sub(" or ", text.replace("and/or", "and or"))
    text = _DASH.sub(", ", text)
    text = _BRACKETED.sub(r", \1,", text)
    text = _STUCK.sub(" ", _DOT_INSIDE.sub(" dot ", text))
    text = _SYMBOL.sub(lambda found: _SYMBOLS[found[0]], text)
    text = _UNSAID.sub(_unsaid, text)
    text = re.sub(r"(?<!\w)[-']+|[-']+(?!\w)", _apostrophe, text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+(?=[,.;:!?])", "", text)
    text = re.sub(r"\.{2,}(?=\s+[a-z])", ",", text)
    text = re.sub(r"[,.;:!?]{2,}", _strongest, text)
    text = re.sub(r"([,.;:!?])(?=\w)", r"\1 ", text)
    return text.strip(" ,;:-").removeprefix(".").strip()


def _apostrophe(found: re.Match[str]) -> str:
    """Apostrophes that belong to a word (rock 'n' roll, the patients' room) stay."""
    before, after = found.string[: found.start()], found.string[found.end() :]
    is_word = found[0] == "'" and (before[-1:] == "s" and after[:1].isspace())
    return "'" if is_word else " "


def _unsaid(found: re.Match[str]) -> str:
    """Accents and vowel signs belong to their letter; any other sign is dropped."""
    return found[0] if unicodedata.category(found[0])[0] == "M" else " "


def _strongest(found: re.Match[str]) -> str:
    return next((mark for mark in "?!." if mark in found[0]), found[0][-1])
