"""µ-law as the standard has it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.simulators._mulaw import SILENCE, compress, expand

pytestmark = pytest.mark.unit


def test_the_standards_own_values() -> None:
    assert expand(bytes([0x00, 0x80, 0x7F, 0xFF, 0x0F, 0x8F])).tolist() == [
        -32_124, 32_124, 0, 0, -16_764, 16_764,
    ]  # fmt: skip
    assert not expand(SILENCE).any()


def test_every_byte_comes_back_as_the_same_level() -> None:
    levels = expand(bytes(range(256)))
    assert np.array_equal(expand(compress(levels)), levels)


@given(st.lists(st.integers(-32_768, 32_767), max_size=200))
def test_a_sample_is_off_by_a_thirtieth_at_most(samples: list[int]) -> None:
    given_samples = np.array(samples, np.int16)
    off = np.abs(expand(compress(given_samples)).astype(int) - given_samples.astype(int))
    assert (off <= np.abs(given_samples.astype(int)) / 30 + 4).all()
