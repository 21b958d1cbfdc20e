"""What was handed out as a secret is never written down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from providers.base import secret
from records.logs import configure
from records.redact import hide, mask, redact

pytestmark = pytest.mark.unit


@given(before=st.text("ab"), key=st.text("xyz", min_size=1), after=st.text("ab"))
def test_a_value_is_masked_wherever_it_stands(before: str, key: str, after: str) -> None:
    assert mask(before + key + after, [key]) == f"{before}[hidden]{after}"


def test_a_key_within_a_longer_key_leaves_nothing_of_it() -> None:
    assert mask("refused sk-ab12!", ["sk-ab", "sk-ab12"]) == "refused [hidden]!"


def test_short_values_are_left_alone() -> None:
    hide("local")
    assert redact("the local pipeline") == "the local pipeline"


def test_a_secret_that_was_read_is_hidden_in_logs_and_tracebacks(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLANTED_KEY", "sk-planted-0123456789")
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    key = secret("PLANTED_KEY")
    configure("DEBUG")
    logger.warning("sent {}", key)
    try:
        raise RuntimeError(f"401 for key {key}")
    except RuntimeError:
        logger.exception("refused")
    logger.remove()
    said = capfd.readouterr().err
    assert "401 for key [hidden]" in said
    assert key not in said
