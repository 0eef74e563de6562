"""JSON as it comes in, read strictly: what could not be kept or sent again is not taken in the first place."""

import json
import math
from typing import Any, NoReturn

__all__ = ["parse"]

DEEPEST = 64
"""Objects and lists inside one another."""


def parse(raw: bytes) -> Any:
    """The value in `raw`. Raises ValueError, also for half a surrogate pair, a number that is not finite, or depth."""
    try:
        value = json.loads(raw, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_depth(value)
    json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
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
