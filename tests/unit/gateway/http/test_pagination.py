"""Cursors and signed URLs: those that were given out are accepted, all others refused."""

import base64
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_chassis.callback_tokens import callback_token, is_callback_token
from telecine_gateway.content.signed_urls import SignedUrls
from telecine_gateway.http.pagination import CursorCodec, InvalidCursor

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GENERATION = "3f2b8c1e-5d0a-4b57-9d55-0a4c1f6e7b21"


CURSORS = CursorCodec("secret-of-this-test")


@given(st.integers(0, 2**63))
def test_a_cursor_is_opaque_and_round_trips(place: int) -> None:
    text = CURSORS.encode("history", "acme", place)

    assert CURSORS.decode("history", "acme", text) == place
    assert CURSORS.encode("history", "acme", place) == text
    assert len(text) == len(CURSORS.encode("history", "acme", 0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "é",
        "\x00",
        "AAAA",
        "!!!!",
        base64.urlsafe_b64encode(b"v1:history:41").decode().rstrip("="),  # as of earlier versions
        CURSORS.encode("credits", "acme", 1),
        CURSORS.encode("history", "other", 1),
        CursorCodec("another secret").encode("history", "acme", 1),
        CURSORS.encode("history", "acme", 1) + "A",
        CURSORS.encode("history", "acme", 1) + "=",
        CURSORS.encode("history", "acme", 1)[:-1],
    ],
)
def test_other_cursors_are_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.decode("history", "acme", text)


def test_changing_any_character_invalidates_a_cursor() -> None:
    given_out = CURSORS.encode("history", "acme", 41)

    for at, letter in enumerate(given_out):
        for other in {"A", "B", "_"} - {letter}:
            with pytest.raises(InvalidCursor):
                CURSORS.decode("history", "acme", given_out[:at] + other + given_out[at + 1 :])


@given(st.text())
def test_made_up_cursors_are_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.decode("history", "acme", text)


def test_no_cursor_is_the_first_page() -> None:
    assert CURSORS.decode("history", "acme", None) is None


def parts_of(url: str) -> tuple[str, str]:
    query = parse_qs(urlsplit(url).query)
    return query["expires"][0], query["signature"][0]


def test_a_link_works_until_it_expires_and_for_its_own_video() -> None:
    links = SignedUrls("secret-of-this-test", "https://videos.example.com/", 60)
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
    assert not SignedUrls("another-secret", "", 60).is_valid(
        "acme", GENERATION, expires=expires, signature=signature, now=NOW
    )


@given(st.text(), st.text())
def test_forged_links_are_refused(expires: str, signature: str) -> None:
    assert not SignedUrls("secret-of-this-test", "", 60).is_valid(
        "acme", GENERATION, expires=expires, signature=signature, now=NOW
    )


def test_callback_token_is_for_one_generation() -> None:
    token = callback_token("secret", "acme", GENERATION)

    assert re.fullmatch("[0-9a-f]{32}", token)
    assert is_callback_token("secret", "acme", GENERATION, token)
    assert not is_callback_token("secret", "other", GENERATION, token)
    assert not is_callback_token("other", "acme", GENERATION, token)
    assert not is_callback_token("secret", "acme", GENERATION, "ü\ud800")
