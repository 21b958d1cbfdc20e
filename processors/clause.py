"""Whether a clause is open: English words and turns of phrase on which no sentence ends."""

from __future__ import annotations

import re
from collections.abc import Sequence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BE_DO = r"(?:am|is|are|was|were|do|does|did|can|could|will|would|have|has|had|should)"
WH = r"(?:(?:and|so|but|well|okay) )?(?:what|who|where|when|why|how|which)"

_DONE_QUESTION = re.compile(
    rf"{WH}(?:'s|'re| (?:\w+ ){{0,2}}?{BE_DO}) (?:\w+ )+"
    r"(?:about|for|from|in|on|to|with|of|at|like|do|have|did|be|been|need|want)$"
)
_IF_CLAUSE_WORDS = 7
"""After `if`: with more words a main clause is likely to have begun."""
NEVER_LAST = _words(
    """
    a an the my your our their every and or but nor because although unless until whether if than
    as of from into onto between during per via with without at to toward towards against among
    for about regarding concerning which whose that's i'm i'd i'll i've it's you're you'll you'd
    you've we're we'll we'd we've he's he'll he'd she's she'll she'd they're they'll they'd they've
    there's here's what's where's who's name's number's is are was were am be being will would could
    should might must may shall can has have had does did do isn't aren't wasn't weren't won't
    wouldn't couldn't shouldn't hasn't haven't hadn't doesn't didn't don't can't cannot very plus
    except mr mrs ms dr this's who due next i
    """
)
"""Articles, possessives, conjunctions, prepositions, auxiliaries, and their short forms."""
_PARTICLES = _words("in on by under near")
_TAKE_PARTICLES = _words(
    """
    come coming log check sign drop put fill it them that go going carry move moved turn stop later
    now early call
    """
)
"""After these, a preposition ends its clause: "come in", "turn it on"."""
_SUBJECTS = _words("he she we they")
_AUXILIARY = re.compile(f"{BE_DO}$")
_OPEN_END = re.compile(
    r"(?:(?:not|more|less|better|later|earlier|other|rather|sooner) than"
    r"|(?:i|we|you|they) (?:just |really |also |only |still )?(?:want|need|wanted|needed)"
    r"|(?:i'm|i am|i was|we were|we're) (?:just |also )?(?:calling|trying|looking|wondering|hoping)"
    r"|(?:i|we)(?:'d| would) (?:just |really |also )?(?:like|love|prefer)"
    r"|(?:can|could|would|will) (?:you|i|we)(?: please| just| maybe)?"
    r"|(?:let|tell|give|send|show) me|(?:half|quarter) past|such as|something like|this coming"
    r"|(?:is|are|was|be) (?:currently|exactly|about|approximately|only|probably|actually|just)"
    r"|an? (?:new|good|big|small|different)"
    r"|(?:when|while|since|before|after) (?:i|you|it)|(?:and|but|or|yes|okay|well) so)$"
)
_WELL_ENDED = re.compile(
    r"(?:(?:love|happy|glad|don't want|if you (?:want|like)) to|(?:kind|sort) of|of course"
    rf"|(?:than|as) (?:i|you|he|she|it|we|they) {BE_DO}"
    r"|(?:since|until) when|\bwho|am i|(?:(?:in|of|this|last|next)|\d(?:st|nd|rd|th)?|first|second"
    r"|third|[a-z]+(?:th|tieth)) may)$"
)
_ASKS = re.compile(rf"(?:{WH}|{BE_DO}|may i)\b")
_DENIES = re.compile(r"\b(?:no|not|wrong|\w+n't)\b")
_LABEL = re.compile(r"(?:.* )?(?:number|extension|name|code|date of birth|address)$")
"""What a caller says before they give it, in a few words."""
_LABEL_WORDS = 5
_BARE_THOUGHT = re.compile(
    r"(?:(?:and|but|so|well) )?(?:so|i (?:think|thought|guess|hope|believe))$"
)
_IF_CLAUSE = re.compile(r"(?:(?:and|so|but|well|okay) )?(?:if|unless|although) (.+)$")
_TRAILS_OFF = re.compile(r"(?:\.\.+|…|[,;:\u2013\u2014-])\W*$")


def is_open(plain: str, tokens: Sequence[str]) -> bool:
    """Whether a sentence can hardly end where it ends.

    Args:
        plain: The text in small letters, with the recogniser's punctuation.
        tokens: Its words alone.
    """
    said = " ".join(tokens)
    if _DONE_QUESTION.match(said):
        return False
    if _WELL_ENDED.search(said):
        return False
    if _leans(said, tokens) or _TRAILS_OFF.search(plain):
        return True
    if _LABEL.match(said) and len(tokens) <= _LABEL_WORDS:
        return not (_ASKS.match(said) or _DENIES.search(said))
    begun = _IF_CLAUSE.match(said)
    return bool(begun and "," not in plain and len(begun[1].split()) <= _IF_CLAUSE_WORDS)


def _leans(said: str, tokens: Sequence[str]) -> bool:
    last, before = tokens[-1], tokens[-2] if len(tokens) > 1 else ""
    if last in NEVER_LAST or _BARE_THOUGHT.match(said) or _OPEN_END.search(said):
        return True
    if last in _PARTICLES:
        return before not in _TAKE_PARTICLES
    # "are they" asks, "when they" does not.
    return last in _SUBJECTS and not _AUXILIARY.match(before)
