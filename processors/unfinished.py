"""Whether a caller's words so far look as if more is coming. English, by the words alone.

A wrong "more is coming" costs some waiting, a wrong "done" cuts the caller off: in doubt, hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from processors.clause import BE_DO, NEVER_LAST, WH, is_open


class Reason(StrEnum):
    """Why more is expected."""

    SPELLING = "spelling"
    DIGITS = "digits"
    ADDRESS = "address"
    """An e-mail address or a URL."""
    FILLER = "filler"
    CLAUSE = "clause"


class Expects(StrEnum):
    """What the bot has just asked for."""

    NAME = "name"
    PHONE = "phone"
    EMAIL = "email"
    BIRTH_DATE = "birth_date"
    NUMBER = "number"
    """Of an account, an order, a card."""
    CODE = "code"
    """A PIN, a postcode, a code that was sent."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _in_order(text: str) -> list[str]:
    return text.split()


def _phrases(text: str) -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrase in text.split(","))


_ASKED_AGAIN = 8
"""While it is silent the same words are judged up to a hundred times a second."""
_LOCAL_PHONE, _LONG_PHONE = 7, 10
"""Digits of a local number, and of one with its area; with 8 or 9 the last group is missing."""
_LEAST_DIGITS = {Expects.PHONE: _LOCAL_PHONE, Expects.NUMBER: 6, Expects.CODE: 4}
"""The shortest order numbers and PINs in common use."""
_LEAD_IN_WORDS = 6
"""So many words without a piece of what was asked for are about something else."""

_ANSWERS = _phrases(
    """
    yes, yeah, yep, yup, no, nope, nah, sure, okay, ok, right, all right, alright, exactly, correct,
    fine, please, yes please, no thanks, no thank you, thanks, thank you, that's it, that is it,
    that's all, that is all, that's right, that is right, that's fine, of course, uh huh, mm hmm,
    mm, mmm, mhm, i do, i did, i think so, i hope so, i guess so, i believe so, i don't think so,
    i don't know, not really, not yet, never mind, bye, goodbye, hello, hi, none, nothing, me too,
    if possible, if you like, if you don't mind, if so, if not
    """
)
"""Complete whatever was asked."""
_CLOSING = re.compile(r"(?:please|thanks|thank you|that's (?:it|all|right)|bye|goodbye)$")
_SHORT_REPLY = re.compile(
    rf"(?:yes|yeah|yep|no|nope|sure|of course) (?:\w+ )?(?:i|you|he|she|it|we|they|that|there)"
    rf" {BE_DO}(?:n't| not)?$|(?:so|neither|nor) {BE_DO} (?:i|we|you|he|she|they)$"
)
_QUESTION = re.compile(rf"(?:{WH}(?:'s|'re)?|{BE_DO}|may (?:i|we))\b")
_REFUSAL = re.compile(
    r"(?:no|nope|sorry|none|nothing|i don't|i do not|i can't|i cannot|i won't|i'd rather|actually)"
    r"\b"
)

_FILLER = re.compile(
    r"(?:.* )?(?:u+[hm]+|e+r+m*|eh+m*|h+m+|a+hm|you know|i mean|let me (?:see|think|check|look)"
    r"|wait|let's see|(?:just )?(?:one|a) (?:moment|second|sec|minute)|hold on|hang on)"
    r"|(?:(?:oh|so|and|but) )?well"
)

_UNITS = _in_order("one two three four five six seven eight nine")
_TEENS = _in_order(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = _in_order("twenty thirty forty fifty sixty seventy eighty ninety")
_FIGURES = {
    **{word: str(n) for n, word in enumerate(_UNITS, 1)},
    **{word: str(n) for n, word in enumerate(_TEENS, 10)},
    **{word: f"{n}0" for n, word in enumerate(_TENS, 2)},
    **dict.fromkeys(("zero", "oh", "o", "nought"), "0"),
    **{"hundred": "00", "thousand": "000", "plus": "+", "+": "+", "dash": "", "hyphen": ""},
}
"""Words as they are dialled."""
_REPEATS = {"double": 2, "triple": 3, "treble": 3}
_CARRIES_DIGITS = re.compile(
    r"\b(?:number|phone|mobile|cell|code|pin|reach me|call me|account|order|reference)\b"
)
_EMERGENCY = frozenset({"911", "112", "999"})

_ACRONYMS = _words("ok tv usa us uk eu id it pc dvd cd pm am bbc faq atm ceo diy dj gp hr abc")
_LETTER_FOR = re.compile(r"(?<![\w'])[b-hj-z] (?:for|as in|like in|like)(?: [^\W\d_]+)?$")
"""`a` and `i` are words too: "I for one" is no spelling."""

_ALPHABET = _words(
    """
    alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike
    november oscar papa quebec romeo sierra tango uniform victor whiskey whisky xray yankee zulu
    """
)

_ADDRESS_MARKS = _words("dot underscore slash www @")
_MAIL_HOSTS = _words("gmail hotmail yahoo outlook icloud aol googlemail proton")
_TLD = (
    r"(?:com|org|net|edu|gov|info|io|ai|dev|app|biz|me|tv|eu|uk|us|ca|de|fr|es|it|nl|be|ch|at|au|nz"
    r"|ie|in|jp|cn|se|no|dk|fi|pl|pt|br|mx)"
)
_DOT = r"(?: ?\. ?| dot )"
_FULL_EMAIL = re.compile(rf"\w(?: ?@ ?| at )[\w -]+?(?:{_DOT}[\w-]+)*?{_DOT}{_TLD}\b")
_FULL_URL = re.compile(rf"(?:[\w-]+{_DOT})+{_TLD}\b")

_ASKED: tuple[tuple[Expects, re.Pattern[str]], ...] = (
    (Expects.EMAIL, re.compile(r"\be-? ?mail\b")),
    (
        Expects.BIRTH_DATE,
        re.compile(r"\b(?:date of birth|birth ?date|birthday|when were you born)\b"),
    ),
    (Expects.CODE, re.compile(r"\b(?:pin|code|zip|post ?code|passcode|digits of)\b")),
    (
        Expects.NUMBER,
        re.compile(
            r"\b(?:account|order|card|reference|customer|member(?:ship)?|policy|booking|ticket|case"
            r"|insurance|invoice|tracking|serial|reservation|confirmation|security|passport)"
            r" (?:id )?number\b"
        ),
    ),
    (
        Expects.PHONE,
        re.compile(
            r"\b(?:phone|telephone|mobile|cell ?phone|contact number|call ?back number)\b"
            r"|\b(?:your|what|which|best|a) number\b"
        ),
    ),
    (Expects.NAME, re.compile(r"\b(?:your (?:\w+ ){0,3}name|spell|who am i|who is calling)\b")),
)
"""The first that fits; an e-mail address may be asked for "your name and e-mail"."""
_ASKING = re.compile(
    r"\?|\b(?:what|what's|which|who|when|how|may i|can i|could i|can you|could you|would you"
    r"|tell me|give me|spell|please|i need|i'll need|let me have|enter)\b"
)


def asked_for(bot_text: str) -> Expects | None:
    """What a caller is asked for by the bot's last sentence that asks, if it is one of these."""
    sentences = re.split(r"(?<=[.!?…])\s+", _plain(bot_text))
    asking = [sentence for sentence in sentences if _ASKING.search(sentence)]
    if not asking:
        return None
    return next((expects for expects, pattern in _ASKED if pattern.search(asking[-1])), None)


@lru_cache(maxsize=_ASKED_AGAIN)
def unfinished(text: str, *, expects: Expects | None = None) -> Reason | None:
    """Why the caller seems to have more to say, or None when the words may be all.

    Args:
        text: What the recogniser has heard of the turn. Its punctuation proves nothing.
        expects: What the bot has just asked for: then a part of it is not enough.
    """
    tokens = _tokens(text)
    said = " ".join(tokens)
    if not tokens or said in _ANSWERS or _SHORT_REPLY.match(said):
        return None
    if _FILLER.fullmatch(said):
        return Reason.FILLER
    if _CLOSING.search(said) and not said.endswith("can you please"):
        return None
    plain = _plain(text)
    if _is_given(expects, plain, tokens):
        return None
    return (
        _address(plain, tokens)
        or _spelling(tokens, expects)
        or _digits(tokens)
        or (Reason.CLAUSE if is_open(plain, tokens) else None)
        or _short_of(expects, tokens)
    )


@lru_cache(maxsize=_ASKED_AGAIN)
def complete(text: str, expects: Expects | None) -> bool:
    """Whether all of what was asked for has been said: there is no more to wait for.

    Smart-turn knows how sentences end, not how numbers do: here the words know better. Never true
    of a name or of a number of unknown length.
    """
    tokens = _tokens(text)
    if not tokens or unfinished(text, expects=expects):
        return False
    match expects:
        case Expects.PHONE:
            # Seven digits may be a whole number, and the first group of a longer one.
            return _pieces(expects, tokens) >= _LONG_PHONE
        case Expects.EMAIL:
            return _is_given(expects, _plain(text), tokens)
        case Expects.BIRTH_DATE:
            return _has_year(tokens)
        case _:
            return False


def _plain(text: str) -> str:
    plain = " ".join(text.lower().replace("\u2019", "'").split())
    return re.sub(r"\b([ap])\. ?m\b\.?", r"\1m", plain)


def _tokens(text: str) -> list[str]:
    """Words, letters and numbers as they are said; marks only where they are read aloud."""
    return re.findall(
        r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+(?:[.:/,]\d+)*(?:st|nd|rd|th|am|pm)?|[@+$£€%]", _plain(text)
    )


def _address(plain: str, tokens: Sequence[str]) -> Reason | None:
    """An e-mail address or URL that has begun and has no end yet."""
    if _FULL_EMAIL.search(plain):
        # "co" may have its country still to come.
        return None
    if tokens[-1] in _ADDRESS_MARKS:
        return Reason.ADDRESS
    begun = "@" in tokens or "www" in tokens or "dot" in tokens
    if begun and ("@" in tokens or not _FULL_URL.search(plain)):
        return Reason.ADDRESS
    at_host = len(tokens) > 1 and tokens[-2] == "at" and tokens[-1] in _MAIL_HOSTS
    return Reason.ADDRESS if at_host else None


def _spelling(tokens: Sequence[str], expects: Expects | None) -> Reason | None:
    """Letters one by one at the end, unless they spell a word that was said before."""
    phonetic = len(tokens) > 1 and _ALPHABET.issuperset(tokens[-2:])
    if phonetic or _LETTER_FOR.search(" ".join(tokens)):
        return Reason.SPELLING
    start = len(tokens)
    while start and (len(tokens[start - 1]) == 1 and tokens[start - 1].isalpha()):
        start -= 1
    letters = "".join(tokens[start:])
    if tokens[-1] in _REPEATS and start == len(tokens):
        return Reason.SPELLING if expects in (Expects.NAME, Expects.EMAIL) else Reason.DIGITS
    if letters in _ACRONYMS or letters in tokens[:start] or not letters:
        return None
    alone = expects in (Expects.NAME, Expects.EMAIL, Expects.CODE) or start == 0
    if len(letters) == 1 and (letters in ("a", "i", "o") or not alone):
        return None
    return Reason.SPELLING


def _digits(tokens: Sequence[str]) -> Reason | None:
    """A string of digits at the end that is too short for what it seems to be."""
    start = len(tokens)
    while start and _dialled(tokens[start - 1]) is not None:
        start -= 1
    run, carrier = tokens[start:], " ".join(tokens[:start])
    digits = _dial(run)
    if not digits.strip("+") or not _is_string(run, carrier):
        return None
    least = _LONG_PHONE if digits[0] in "0+" else _LOCAL_PHONE
    count = len(digits.strip("+"))
    complete = count >= _LONG_PHONE or count == least or digits in _EMERGENCY
    return None if complete else Reason.DIGITS


def _is_string(run: Sequence[str], carrier: str) -> bool:
    """Whether numbers are said one by one or in groups, not as an amount, a time or a year."""
    if _CARRIES_DIGITS.search(carrier):
        return True
    singles = [token for token in run if len(_dialled(token) or "") == 1]
    groups = [token for token in run if token.isdigit() and len(token) > 1]
    if len(groups) > 1 or (groups and singles):
        return True
    return len(singles) > 1 or (not carrier and any(len(group) > 2 for group in groups))


def _dialled(token: str) -> str | None:
    """The digits that a token stands for; None when it is no part of a number that is dialled."""
    if token in _REPEATS:
        return ""
    return token if token.isdecimal() else _FIGURES.get(token)


def _dial(tokens: Sequence[str]) -> str:
    """All digits of these words: "double five twenty one" is 5521."""
    digits, repeat, before = "", 1, ""
    for token in tokens:
        figures = _dialled(token)
        if figures is None or token in _REPEATS:
            repeat = _REPEATS.get(token, 1)
            continue
        if before in _TENS and token in _UNITS:
            digits = digits[:-1]
        digits += figures * repeat
        repeat, before = 1, token
    return digits


def _short_of(expects: Expects | None, tokens: Sequence[str]) -> Reason | None:
    """Whether a part of what was asked for is missing."""
    said = " ".join(tokens)
    if expects is None or expects is Expects.NAME or _QUESTION.match(said) or _REFUSAL.match(said):
        return None
    if expects is Expects.EMAIL:
        return None if _is_long(tokens) and "at" not in tokens else Reason.ADDRESS
    count = _pieces(expects, tokens)
    if expects is Expects.BIRTH_DATE:
        complete = _has_year(tokens)
    else:
        complete = count >= _LEAST_DIGITS[expects]
    return None if complete or (count == 0 and _is_long(tokens)) else Reason.DIGITS


def _is_given(expects: Expects | None, plain: str, tokens: Sequence[str]) -> bool:
    """Whether the turn ends with all of the address or code that was asked for."""
    if expects is Expects.EMAIL:
        return _FULL_EMAIL.search(plain) is not None and tokens[-1] not in NEVER_LAST
    if expects is not Expects.CODE and expects is not Expects.NUMBER:
        return False
    ends = len(tokens[-1]) == 1 or _dialled(tokens[-1]) is not None
    return ends and _pieces(expects, tokens) >= _LEAST_DIGITS[expects]


def _is_long(tokens: Sequence[str]) -> bool:
    return len(tokens) >= _LEAD_IN_WORDS


def _pieces(expects: Expects, tokens: Sequence[str]) -> int:
    """Digits, and where they belong to it letters."""
    count = len(_dial(tokens).strip("+"))
    if expects is Expects.PHONE:
        return count
    letters = [token for token in tokens if len(token) == 1 and token.isalpha() and token != "o"]
    return count + len(letters)


def _has_year(tokens: Sequence[str]) -> bool:
    """Whether a date of birth goes on to its year: "1984", "nineteen eighty four", "may 84"."""
    if re.search(r"\b(?:19|20)\d\d\b|\d+[./]\d+[./]\d+", " ".join(tokens)):
        return True
    tail = _dial(tokens[-3:]) if _dialled(tokens[-1]) is not None else ""
    # No day of a month is over 31.
    return len(tail) >= 4 or (len(tail) == 2 and tail > "31" and len(tokens) > 2)
