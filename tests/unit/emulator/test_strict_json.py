"""What the emulator makes of bodies that are JSON in name only, or too odd to be kept."""

import pytest

from telecine_emulator.api.strict_json import DEEPEST, parse


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
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
        parse(raw)


def test_valid_json_is_parsed() -> None:
    assert parse(b'{"a": [1, 1.5e3, "\\ud83c\\udfac", "\\u0000", null]}') == {
        "a": [1, 1500.0, "🎬", "\0", None]
    }
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST)
