"""Cursors and signed links: what was given out comes back, anything else is refused."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_chassis.tokens import callback_token, is_callback_token
from telecine_gateway.cursor import BadCursor, after, cursor
from telecine_gateway.signing import ContentLinks

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GENERATION = "3f2b8c1e-5d0a-4b57-9d55-0a4c1f6e7b21"


@given(st.integers(0, 10**18 - 1))
def test_a_cursor_comes_back(place: int) -> None:
    assert after("history", cursor("history", place)) == place


@pytest.mark.parametrize(
    "text", ["", "x", "é", "\x00", "AAAA", "!!!!", cursor("credits", 1), cursor("history", 1) + "A"]
)
def test_other_cursors_are_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        after("history", text)


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(BadCursor):
        assert isinstance(after("history", text), int)


def test_no_cursor_is_the_first_page() -> None:
    assert after("history", None) is None


def parts_of(url: str) -> tuple[str, str]:
    query = parse_qs(urlsplit(url).query)
    return query["expires"][0], query["signature"][0]


def test_a_link_works_until_it_expires_and_for_its_own_video() -> None:
    links = ContentLinks("secret-of-this-test", "https://videos.example.com/", 60)
    url = links.sign("acme", GENERATION, NOW)
    expires, signature = parts_of(url)

    assert url.startswith(f"https://videos.example.com/api/video/{GENERATION}/content?account=acme&expires=")
    assert links.is_valid(
        "acme", GENERATION, expires=expires, signature=signature, now=NOW + timedelta(seconds=59)
    )
    assert not links.is_valid(
        "acme", GENERATION, expires=expires, signature=signature, now=NOW + timedelta(seconds=60)
    )
    assert not links.is_valid("other", GENERATION, expires=expires, signature=signature, now=NOW)
    assert not links.is_valid("acme", GENERATION[::-1], expires=expires, signature=signature, now=NOW)
    assert not links.is_valid("acme", GENERATION, expires=str(int(expires) + 1), signature=signature, now=NOW)
    assert not ContentLinks("another-secret", "", 60).is_valid(
        "acme", GENERATION, expires=expires, signature=signature, now=NOW
    )


@given(st.text(), st.text())
def test_made_up_links(expires: str, signature: str) -> None:
    assert not ContentLinks("secret-of-this-test", "", 60).is_valid(
        "acme", GENERATION, expires=expires, signature=signature, now=NOW
    )


def test_callback_tokens() -> None:
    token = callback_token("secret", "acme", GENERATION)

    assert re.fullmatch("[0-9a-f]{32}", token)
    assert is_callback_token("secret", "acme", GENERATION, token)
    assert not is_callback_token("secret", "other", GENERATION, token)
    assert not is_callback_token("other", "acme", GENERATION, token)
    assert not is_callback_token("secret", "acme", GENERATION, "ü\ud800")
