"""Addresses become words."""

from __future__ import annotations

import pytest

from processors.wording.contacts import contacts

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("info@smile-dental.co.uk", "info at smile dash dental dot co dot uk"),
        ("mailto:a.b_c+d@x.org", "a dot b underscore c plus d at x dot org"),
        ("https://www.example.com/pricing", "example dot com slash pricing"),
        ("https://example.com/a/b?c=d#e.", "example dot com."),
        ("http://me:secret@localhost:7860/", "localhost port seven eight six zero"),
        ("See example.com, or www.x.org!", "See example dot com, or x dot org!"),
        ("@anna", "at anna"),
        ("+44 20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
        ("(555) 010-1234", "five five five, zero one zero, one two three four"),
        ("1-800-555-0199", "one, eight zero zero, five five five, zero one nine nine"),
        ("555-0134", "five five five, zero one three four"),
        ("020 7946 0958", "zero two zero, seven nine four six, zero nine five eight"),
        ("4155550123", "four one five five five five zero one two three"),
        ("2019 2020 2021, 1,234,567, 0.1234567", "2019 2020 2021, 1,234,567, 0.1234567"),
    ],
)  # fmt: skip
def test_says(written: str, said: str) -> None:
    assert " ".join(contacts(written).split()) == said
