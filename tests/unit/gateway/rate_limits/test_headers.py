"""The headers of rate limits are lists of Structured Fields, by a parser that is not telecine's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_gateway.content.download_slots import DownloadSlots
from telecine_gateway.http.errors import ApiError
from telecine_gateway.rate_limits.headers import rate_headers, too_fast
from telecine_gateway.rate_limits.rules import LONGEST_WAIT, Policy, Use

http_sfv = pytest.importorskip("http_sfv")

NAMES = ("address", "key", "account", "generations", "failed-authentication")
uses = st.builds(
    Use,
    st.builds(Policy, st.sampled_from(NAMES), st.integers(1, 10**9), st.integers(1, 10**6)),
    st.integers(0, 10**9),
    st.integers(1, LONGEST_WAIT),
)


def parsed(header: bytes) -> list[tuple[str, dict[str, Any]]]:
    found = http_sfv.List()
    found.parse(header)
    return [(item.value, dict(item.params)) for item in found]


@given(st.lists(uses, min_size=1, max_size=5))
def test_headers_are_structured_fields(used: list[Use]) -> None:
    headers = dict(rate_headers(used))

    assert parsed(headers[b"ratelimit-policy"]) == [
        (use.policy.name, {"q": use.policy.quota, "w": use.policy.seconds}) for use in used
    ]
    assert parsed(headers[b"ratelimit"]) == [
        (use.policy.name, {"r": use.remaining, "t": use.reset}) for use in used
    ]


@given(st.lists(uses, min_size=1, max_size=3))
def test_retry_after_is_never_before_a_reset_nor_beyond_two_minutes(violated: list[Use]) -> None:
    refusal = too_fast(violated, "requests")

    wait = int((refusal.headers or {})["Retry-After"])
    assert max(use.reset for use in violated) <= wait <= LONGEST_WAIT


def test_a_refused_download_has_them_too() -> None:
    slots = DownloadSlots(10, per_account=5, per_video=1)
    slots.acquire("ann", "g1")

    with pytest.raises(ApiError) as refused:
        slots.acquire("ann", "g1")

    headers = refused.value.headers or {}
    policy = parsed(headers["RateLimit-Policy"].encode())
    assert policy == [("video-downloads", {"q": 1, "qu": "concurrent-requests"})]
    [(_, left)] = parsed(headers["RateLimit"].encode())
    assert left == {"r": 0, "t": int(headers["Retry-After"])}
