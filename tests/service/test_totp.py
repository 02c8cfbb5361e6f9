"""The second factor against RFC 6238's vectors, and what a step may be."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.service.totp import STEP_SECONDS, code, step_of, uri

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "digits"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_the_rfc(seconds: int, digits: str) -> None:
    assert code(SECRET, seconds // STEP_SECONDS) == digits[-6:]


@given(st.integers(2, 10**10), st.integers(-1, 1))
def test_a_code_is_good_one_step_early_or_late(step: int, drift: int) -> None:
    found = step_of(SECRET, code(SECRET, step + drift), step * STEP_SECONDS + 7.5, 0)
    assert found is not None and code(SECRET, found) == code(SECRET, step + drift)


@pytest.mark.parametrize("drift", [-3, -2, 2, 3])
def test_a_code_is_no_good_two_steps_early_or_late(drift: int) -> None:
    assert step_of(SECRET, code(SECRET, 1000 + drift), 1000 * STEP_SECONDS + 7.5, 0) is None


def test_a_step_is_accepted_once_and_no_older_one_after_it() -> None:
    now = 100 * STEP_SECONDS + 1.0
    assert step_of(SECRET, code(SECRET, 100), now, 99) == 100
    assert step_of(SECRET, code(SECRET, 100), now, 100) is None
    assert step_of(SECRET, code(SECRET, 99), now, 100) is None
    assert step_of(SECRET, code(SECRET, 101), now, 100) == 101


@pytest.mark.parametrize("text", ["", "12345", "\udcff" * 6, "٠١٢٣٤٥"])
def test_what_is_no_code_is_none(text: str) -> None:
    assert step_of(SECRET, text, 59.0, 0) is None


def test_the_uri_is_what_apps_read() -> None:
    parts = urlsplit(uri(SECRET, "ann", "abcdefghijkl.onion"))
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == (
        "otpauth",
        "totp",
        "/Private Island:ann@abcdefgh",
    )
    assert parse_qs(parts.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Private Island"],
    }
