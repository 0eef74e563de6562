"""Splitting a stream into parts of equal length."""

from collections.abc import AsyncIterator

import pytest

from telecine_storage.bucket.s3_parts import split_into_parts

PART = 16


async def chunks_of(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("chunk", [1, 7, PART, 3 * PART + 1])
@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 5])
async def test_all_parts_but_the_last_are_equal_and_none_is_empty(size: int, chunk: int) -> None:
    body = bytes(range(size))
    parts = [part async for part in split_into_parts(chunks_of(body, chunk), PART)]
    assert b"".join(parts) == body
    assert {len(part) for part in parts[:-1]} <= {PART}
    assert all(0 < len(part) <= PART for part in parts)
