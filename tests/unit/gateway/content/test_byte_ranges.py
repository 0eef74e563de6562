"""Byte ranges and conditional requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_gateway.content.byte_ranges import (
    ByteRange,
    RangeNotSatisfiable,
    if_match_holds,
    is_not_modified,
    parse_range,
)

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=10-19", 10, 19),
        ("bytes=90-", 90, 99),
        ("bytes=90-200", 90, 99),
        ("bytes=-10", 90, 99),
        ("bytes=-1000", 0, 99),
        ("BYTES=0-1", 0, 1),
        ("bytes= 0-1 ", 0, 1),
        ("bytes=0-9999999999999999999", 0, 99),
        ("bytes=-9999999999999999999", 0, 99),
        ("bytes=0000000000000000000005-6", 5, 6),
    ],
)
def test_a_single_range_is_parsed(asked: str, start: int, end: int) -> None:
    assert parse_range(100, asked, None, ETAG) == ByteRange(start, end, 100)


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=9-1",
        "bytes=0-1,5-6",
        "items=0-1",
        "bytes=+1-2",
    ],
)
def test_other_range_headers_return_the_whole_object(asked: str | None) -> None:
    assert parse_range(100, asked, None, ETAG) is None


@pytest.mark.parametrize(
    "asked", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=9999999999999999999-", f"bytes={'9' * 5000}-"]
)
def test_a_range_outside_the_object_is_unsatisfiable(asked: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(100, asked, None, ETAG)


def test_if_range_with_another_etag_returns_the_whole_object() -> None:
    assert parse_range(100, "bytes=0-1", ETAG, ETAG) == ByteRange(0, 1, 100)
    assert parse_range(100, "bytes=0-1", '"other"', ETAG) is None
    assert parse_range(100, "bytes=0-1", f"W/{ETAG}", ETAG) is None
    assert parse_range(100, "bytes=500-", '"other"', ETAG) is None


def test_range_formats_as_content_range() -> None:
    part = ByteRange(90, 99, 100)

    assert str(part) == "bytes 90-99/100"
    assert (part.length, part.is_whole, ByteRange(0, 99, 100).is_whole) == (10, False, True)


@pytest.mark.parametrize(
    ("header", "holds"),
    [
        (None, True),
        (ETAG, True),
        (f'"x" , {ETAG}', True),
        ("*", True),
        (f"W/{ETAG}", False),
        ('"x"', False),
        ("", False),
    ],
)
def test_if_match_uses_strong_comparison(header: str | None, holds: bool) -> None:
    assert if_match_holds(header, ETAG) is holds


@pytest.mark.parametrize(
    ("header", "unchanged"),
    [
        (None, False),
        (ETAG, True),
        (f"W/{ETAG}", True),
        (f'"x", {ETAG}', True),
        ("*", True),
        ('"x"', False),
        ("", False),
    ],
)
def test_if_none_match_uses_weak_comparison(header: str | None, unchanged: bool) -> None:
    assert is_not_modified(header, ETAG) is unchanged


@given(st.integers(1, 10**12), st.text() | st.text("0123456789-,=bytes ").map("bytes={}".format))
def test_any_slice_lies_within_the_object(total: int, asked: str) -> None:
    try:
        part = parse_range(total, asked, None, ETAG)
    except RangeNotSatisfiable:
        return
    assert part is None or 0 <= part.start <= part.end < total
