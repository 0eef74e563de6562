"""Strict JSON parser: refuses what could not be stored or sent again."""

import json
import math
from typing import Any, NoReturn

__all__ = ["parse_json"]

MAX_DEPTH = 64
"""Nested objects and arrays."""


def parse_json(raw: bytes) -> Any:
    """The value in `raw`. Raises ValueError, also for an unpaired surrogate, a non-finite number, or deep nesting."""
    try:
        value = json.loads(raw, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_depth(value)
    json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is not a finite number")
