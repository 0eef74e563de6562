"""Strict parsing of JSON bodies."""

import pytest

from telecine_emulator.api.strict_json import MAX_DEPTH, parse_json


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"content": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'"\xff"',
        b'{"seed": NaN}',
        b'{"seed": -Infinity}',
        b'{"seed": 1e999}',
        b"9" * 5000,
        b"",
    ],
)
def test_invalid_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(raw)


def test_valid_json_is_parsed() -> None:
    assert parse_json(b'{"a": [1, 1.5e3, "\\ud83c\\udfac", "\\u0000", null]}') == {
        "a": [1, 1500.0, "🎬", "\0", None]
    }
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
