"""Faults: which one applies, how often, and the meaning of their values."""

from pathlib import Path

import pytest

from telecine_emulator.faults.registry import (
    ErrorTarget,
    FaultRegistry,
    error_of_fault,
    matches_route,
    parse_error_target,
)
from telecine_emulator.faults.task_plan import plan_task
from telecine_emulator.settings import Settings


def test_a_fault_applies_as_often_as_its_times_say() -> None:
    book = FaultRegistry()
    book.add("hang", times=2)
    assert [book.take("hang") is not None for _ in range(3)] == [True, True, False]
    assert list(book) == []


def test_a_fault_without_times_applies_without_limit() -> None:
    book = FaultRegistry(("hang",))
    assert all(book.take("hang") for _ in range(5))


def test_a_match_is_compared_with_the_prompt() -> None:
    book = FaultRegistry()
    book.add("fail", "Code", times=1, match="kite")
    assert book.take("fail", "a boat") is None
    assert book.take("fail", "a kite")


def test_another_route_does_not_consume_a_fault() -> None:
    book = FaultRegistry()
    book.add("rate_limit", "list", times=1)
    assert book.take("rate_limit", "", matches_route("create", "create")) is None
    assert book.take("rate_limit", "", matches_route("list", "create"))


def test_a_prompt_can_contain_faults() -> None:
    book = FaultRegistry()
    prompt = "a kite [emulator:fail=OutputVideoSensitiveContentDetected] [emulator:nonsense]"
    taken = book.take("fail", prompt)
    assert taken
    assert taken.value == "OutputVideoSensitiveContentDetected"
    assert book.take("nonsense", prompt) is None


@pytest.mark.parametrize(("name", "value"), [("nonsense", None), ("slow_accept", "soon")])
def test_invalid_faults_are_refused(name: str, value: str | None) -> None:
    with pytest.raises(ValueError):
        FaultRegistry().add(name, value)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, ErrorTarget()),
        ("get", ErrorTarget("get")),
        ("SetLimitExceeded", ErrorTarget(None, None, "SetLimitExceeded")),
        ("list:503:ServerOverloaded", ErrorTarget("list", 503, "ServerOverloaded")),
        ("418", ErrorTarget(None, 418)),
    ],
)
def test_values_name_a_route_a_status_and_a_code(value: str | None, read: ErrorTarget) -> None:
    assert parse_error_target(value) == read


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("AccountOverdueError", 403),
        ("ModelNotOpen", 404),
        ("SetLimitExceeded", 429),
        ("NotFound.Asset", 404),
        ("InvalidParameter.Strange", 400),
        ("503:InternalServiceError", 503),
    ],
)
def test_a_code_implies_its_status(value: str, status: int) -> None:
    book = FaultRegistry((f"refuse={value}",))
    taken = book.take("refuse")
    assert taken
    assert error_of_fault(taken, "InvalidParameter", "refused").status == status


def test_task_faults_become_part_of_the_plan(tmp_path: Path) -> None:
    names = ("task_seconds=10", "expire", "list_lag=3", "result_bytes=5000", "callback_duplicate")
    made = plan_task(Settings(data=tmp_path), FaultRegistry(names), "a kite")
    assert (made.queue_seconds, made.run_seconds, made.end) == (2, 8, "expire")
    assert (made.list_lag, made.result_bytes, made.callback_duplicate) == (3, 5000, True)


def test_a_moderation_fault_overrides_other_ends(tmp_path: Path) -> None:
    book = FaultRegistry(("hang", "moderation_output"))
    made = plan_task(Settings(data=tmp_path), book, "a kite")
    assert (made.end, made.fail_code) == ("fail", "OutputVideoSensitiveContentDetected")
