"""Faults on demand: the active ones, and the choice of the fault that applies to a request."""

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from telecine_emulator.api.errors import ApiError

ROUTES = ("create", "get", "list", "delete")

NAMES = frozenset(
    {
        "refuse",
        "moderation_input",
        "moderation_output",
        "fail",
        "expire",
        "hang",
        "task_seconds",
        "rate_limit",
        "error_before_accept",
        "error_after_accept",
        "drop_after_accept",
        "slow_accept",
        "garbage_body",
        "unknown_status",
        "null_items",
        "timeless",
        "list_lag",
        "result_bytes",
        "result_403",
        "result_truncated",
        "result_truncated_chunked",
        "result_html",
        "result_wrong_type",
        "result_not_mp4",
        "result_corrupt",
        "result_not_ready",
        "callback_duplicate",
        "callback_reorder",
        "callback_drop",
        "callback_forged",
    }
)
NUMBERS = frozenset({"task_seconds", "slow_accept", "list_lag", "result_bytes", "result_not_ready"})
MARKER = re.compile(r"\[emulator:(\w+)(?:=([^\]]*))?\]")


@dataclass
class Fault:
    """`times`: remaining uses, None for unlimited; `match`: a substring of the prompts it applies to, None for all."""

    number: int
    name: str
    value: str | None = None
    times: int | None = None
    match: str | None = None

    def matches(self, prompt: str) -> bool:
        return self.times != 0 and (self.match is None or self.match in prompt)

    def seconds(self, default: float) -> float:
        return float(self.value) if self.value else default


@dataclass(frozen=True)
class ErrorTarget:
    """The parsed value of an error fault: `[ROUTE][:STATUS][:CODE]` in any order."""

    route: str | None = None
    status: int | None = None
    word: str | None = None


def parse_error_target(value: str | None) -> ErrorTarget:
    parts = [part for part in (value or "").split(":") if part]
    routes = [part for part in parts if part in ROUTES]
    numbers = [int(part) for part in parts if part.isdigit()]
    words = [part for part in parts if part not in ROUTES and not part.isdigit()]
    return ErrorTarget(*(found[0] if found else None for found in (routes, numbers, words)))  # type: ignore[arg-type]


def matches_route(route: str, default: str) -> Callable[[Fault], bool]:
    """A predicate: whether a fault's value names this route, or names none and this is the default."""
    return lambda fault: (parse_error_target(fault.value).route or default) == route


class FaultRegistry:
    """The active faults, oldest first; the oldest matching one applies."""

    def __init__(self, started_with: tuple[str, ...] = ()) -> None:
        self._faults: list[Fault] = []
        self._next = 1
        for text in started_with:
            name, _, value = text.partition("=")
            self.add(name, value or None)

    def __iter__(self) -> Iterator[Fault]:
        return iter(fault for fault in self._faults if fault.times != 0)

    def add(
        self, name: str, value: str | None = None, *, times: int | None = None, match: str | None = None
    ) -> Fault:
        """Raises `ValueError` for an unknown name or an invalid value."""
        check_fault(name, value)
        fault = Fault(self._next, name, value, times, match)
        self._next += 1
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def take(
        self, name: str, prompt: str = "", fits: Callable[[Fault], bool] = lambda fault: True
    ) -> Fault | None:
        """The fault of this name that matches the prompt, if any; uses up one of its `times`."""
        for fault in (*self._faults, *prompt_faults(prompt)):
            if fault.name == name and fault.matches(prompt) and fits(fault):
                fault.times = None if fault.times is None else fault.times - 1
                return fault
        return None


def prompt_faults(prompt: str) -> Iterator[Fault]:
    """Faults in the prompt's text: `[emulator:NAME]` or `[emulator:NAME=VALUE]`."""
    for name, value in MARKER.findall(prompt):
        if name in NAMES:
            yield Fault(0, name, value or None)


def check_fault(name: str, value: str | None) -> None:
    if name not in NAMES:
        raise ValueError(f"unknown fault {name!r}, expected one of {', '.join(sorted(NAMES))}")
    if name in NUMBERS and value is not None:
        float(value)


def error_of_fault(fault: Fault, default_code: str, message: str) -> ApiError:
    """The error response of a fault; its value may override status and code."""
    wanted = parse_error_target(fault.value)
    return ApiError(wanted.word or default_code, message, status=wanted.status)


def as_json(fault: Fault) -> dict[str, Any]:
    return asdict(fault)
