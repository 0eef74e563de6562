"""Provider usage against settled credits: sums of what matches, lists of what does not."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from tests.support.audit.streams import november_time
from tests.support.audit.usage import UsageHistory

from telecine_auditor.reports.usage_reconciliation import LISTS, Finding, Group, PossibleTask, Reconciliation
from telecine_auditor.reports.usage_store import UsageStore
from telecine_contracts.commands import AdjustCredits
from telecine_contracts.generation import (
    FailureCode,
    SubmissionDeferred,
)
from telecine_contracts.video_models import DEFAULT_MODEL
from telecine_credits.rules.commands import TimedCommand

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> UsageHistory:
    return UsageHistory()


@pytest.fixture
def book() -> Iterator[UsageStore]:
    with UsageStore() as found:
        yield found


def reconciled(
    world: UsageHistory,
    book: UsageStore,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    rate: int | None = None,
) -> Reconciliation:
    world.fill(book)
    return Reconciliation(book, since, until, rate)


def listed(found: Reconciliation) -> dict[str, list[Finding]]:
    lists = {listing.name: list(found.findings(listing)) for listing in found.listings()}
    return {name: findings for name, findings in lists.items() if findings}


def test_matching_usage_is_summed_and_not_listed(world: UsageHistory, book: UsageStore) -> None:
    world.video_for("g1", 1000)
    world.video_for("g2", 1500)
    world.video_for("g3", 700, resolution="480p")
    found = reconciled(world, book)
    assert found.groups() == [
        Group(DEFAULT_MODEL, "480p", 5, 1, 40, 700, 0),
        Group(DEFAULT_MODEL, "720p", 5, 2, 100, 2500, 0),
    ]
    assert found.total() == Group("total", "", None, 3, 140, 3200, 0)
    assert found.total().rate == "22.85"
    assert listed(found) == {}


def test_adjusted_credits_are_not_settled(world: UsageHistory, book: UsageStore) -> None:
    entry = world.video_for("g1", 1000)
    world.streams.do(
        TimedCommand(AdjustCredits(account="ann", corrects=entry, amount=30, reference="t"), november_time(2))
    )
    assert reconciled(world, book).total().credits == 20


def test_settlement_without_usage_is_listed(world: UsageHistory, book: UsageStore) -> None:
    world.video_for("g1", None)
    world.asked("g2")
    world.settled("g2")
    found = listed(reconciled(world, book))
    assert found == {
        "settled_without_usage": [
            Finding("ann", "g1", "task-g1", None, "settled", "ready"),
            Finding("ann", "g2", None, None, "settled", ""),
        ]
    }


def test_usage_without_settlement_is_listed(world: UsageHistory, book: UsageStore) -> None:
    world.asked("g1")
    world.submitted("g1", "t1")
    world.ready("g1", "t1", 900)
    found = reconciled(world, book)
    assert listed(found) == {"usage_not_settled": [Finding("ann", "g1", "t1", 900, "held", "ready")]}
    assert (found.total().tokens, found.total().unpaid) == (0, 900)


def test_a_late_result_is_unpaid_usage(world: UsageHistory, book: UsageStore) -> None:
    world.asked("g1")
    world.submitted("g1", "t1")
    world.failed("g1", FailureCode.DEADLINE)
    world.late("g1", "t1", 800)
    found = reconciled(world, book)
    assert listed(found) == {"late_results": [Finding("ann", "g1", "t1", 800, "refunded", "succeeded")]}
    assert found.total().unpaid == 800


def test_orphans_are_listed(world: UsageHistory, book: UsageStore) -> None:
    world.asked("g1")
    world.submitted("g1", "t1")
    world.failed("g1", FailureCode.DEADLINE)
    world.asked("g2")
    world.started("g2")
    world.failed("g2", FailureCode.SUBMISSION_UNRESOLVED)
    world.asked("g3")
    world.submitted("g3", "t3")
    world.failed("g3", FailureCode.PROVIDER_ERROR)  # the provider itself said how its task ended
    assert listed(reconciled(world, book)) == {
        "orphans": [
            Finding("ann", "g1", "t1", None, "refunded", "deadline"),
            Finding("ann", "g2", None, None, "refunded", "submission_unresolved"),
        ]
    }


def test_attempts_with_a_lost_response_are_possible_tasks(world: UsageHistory, book: UsageStore) -> None:
    """With the marks of such a task, and when it can have been created. What the provider answered leaves none."""
    world.asked("g1")
    world.started("g1")
    world.say(SubmissionDeferred, "g1", attempt=1, reason="proven_absent", retry_at=november_time(1))
    world.started("g1", 2)
    world.failed("g1", FailureCode.SUBMISSION_UNRESOLVED)
    world.asked("g2")
    world.started("g2")
    world.say(SubmissionDeferred, "g2", attempt=1, reason="rate_limited", retry_at=november_time(2))
    world.started("g2", 2)
    world.failed("g2", FailureCode.INVALID_REQUEST)
    world.video_for("g3", 1000)
    world.asked("g4")
    world.started("g4")  # still awaited
    found = reconciled(world, book)
    assert list(found.possible_tasks()) == [
        PossibleTask("ann", "g1", 1, "s", 1, november_time(1), november_time(1) + HOUR, "proven_absent"),
        PossibleTask(
            "ann", "g1", 2, "s", 1, november_time(1), november_time(1) + HOUR, "submission_unresolved"
        ),
    ]


def test_submissions_without_an_end_are_listed(world: UsageHistory, book: UsageStore) -> None:
    world.asked("g1")
    world.submitted("g1", "t1")
    world.asked("g2")
    world.started("g2")
    world.say(SubmissionDeferred, "g2", attempt=1, reason="rate_limited", retry_at=november_time(2))
    world.asked("g3")
    assert listed(reconciled(world, book)) == {
        "without_end": [
            Finding("ann", "g1", "t1", None, "held", "running"),
            Finding("ann", "g2", None, None, "held", "no task yet"),
        ]
    }


def test_several_tasks_of_a_generation_are_listed(world: UsageHistory, book: UsageStore) -> None:
    world.asked("g1")
    world.submitted("g1", "t1")
    world.ready("g1", "t2", 500)
    world.settled("g1")
    assert listed(reconciled(world, book)) == {
        "several_tasks": [
            Finding("ann", "g1", "t1", None, "settled", "submitted"),
            Finding("ann", "g1", "t2", 500, "settled", "ready"),
        ]
    }


def test_more_tokens_than_the_credits_pay_for_are_listed(world: UsageHistory, book: UsageStore) -> None:
    world.video_for("g1", 1000)
    world.video_for("g2", 1001)
    found = reconciled(world, book, rate=20)
    assert listed(found) == {
        "over_the_rate": [Finding("ann", "g2", "task-g2", 1001, "settled", "50 credits")]
    }


def test_a_generation_belongs_to_the_period_of_its_request(world: UsageHistory, book: UsageStore) -> None:
    world.video_for("g1", 1)
    world.video_for("g2", 10)
    world.video_for("g3", 100)
    assert reconciled(world, book, since=november_time(2), until=november_time(3)).total().tokens == 10


def test_generations_erased_from_video_are_known_from_their_debit(
    world: UsageHistory, book: UsageStore
) -> None:
    world.video_for("g1", 1000)
    world.streams.video.clear()
    found = reconciled(world, book, since=november_time(1), until=november_time(2))
    assert found.groups() == [Group(None, "720p", 5, 1, 50, 0, 0)]
    assert list(listed(found)) == ["settled_without_usage"]


def test_unreadable_events_are_counted(world: UsageHistory, book: UsageStore) -> None:
    world.video_for("g1", 1000)
    asked = world.streams.video[0]
    world.streams.video[1:] = [
        asked._replace(body=b"[]"),
        asked._replace(body=b"{"),
        asked._replace(subject="video.ann"),
        asked._replace(body=b'{"parameters": {"duration": "5"}}'),
        asked._replace(
            subject="video.ann.g1.ready", body=b'{"provider_task_id": "t", "usage": {"total_tokens": -1}}'
        ),
        asked._replace(head=b""),
    ]
    found = reconciled(world, book)
    assert found.book.unreadable == 6
    assert found.total().settled == 1


def test_every_list_defines_its_contents() -> None:
    assert all(listing.message.endswith(".") for listing in LISTS)
    assert len({listing.name for listing in LISTS}) == len(LISTS)
