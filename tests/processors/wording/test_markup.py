"""Markdown and HTML become sentences."""

from __future__ import annotations

import pytest

from processors.wording.markup import plain

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("plain words\nthat wrap", "plain words that wrap"),
        ("# Prices\nHere they are", "Prices. Here they are"),
        ("- one\n* two\n+ three", "one. two. three."),
        ("- [ ] open\n- [x] done", "open. done."),
        ("1. First\n2) Second", "1, First. 2, Second."),
        ("One\n\nTwo", "One. Two"),
        ("Our hours:\n- Monday", "Our hours: Monday."),
        ("> said\n>> before", "said before"),
        ("a\n---\nb", "a. b"),
        ("| Day | Open |\n|---|:-:|\n| Mon | yes |", "Day, Open. Mon, yes."),
        ("**bold**, *it*, __b__, _i_, ***both***", "bold, it, b, i, both"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
        ("`code` and ``more``", "code and more"),
        ("a ~~b~~ c", "a c"),
        ("[us](https://x.org) ![a dog](d.png)", "us a dog"),
        ("<https://x.org> <b>hi</b><br/>you", "https://x.org hi you"),
        ("a <!-- note --> b", "a b"),
        ("fact[1] and [^2]", "fact and"),
        ("x\n```py\ncode\n```\ny", "x. y"),
        ("x ```code``` y", "x y"),
        ("x\n```py\nnever closed", "x."),
        ("\\*not bold\\*", "*not bold*"),
        ("R&amp;D", "R&D"),
    ],
)  # fmt: skip
def test_says(written: str, said: str) -> None:
    assert " ".join(plain(written).split()) == said
