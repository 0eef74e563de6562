"""What the provider does wrong, and how the generation and its credits end.

Every case ends: settled with a video, or refunded with a code from the closed list. Never both, never neither.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio
from tests.support.environments.saga import Emulator, Saga, saga
from tests.support.servers.instances import S3Server, nats_server

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.runtime.bootstrap import utc_now
from telecine_chassis.timers.jetstream import JetStreamTimers
from telecine_chassis.timers.port import Timer
from telecine_contracts import Event
from telecine_contracts.generation import (
    CancelDeclined,
    FailureCode,
    GenerationFailed,
    GenerationSubmitted,
    Stage,
)
from telecine_contracts.storage import StorageFailure, VideoStorageFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILURES = {
    "refuse": FailureCode.INVALID_REQUEST,
    "refuse=400:InputImageSensitiveContentDetected": FailureCode.MODERATION_INPUT,
    "refuse=401:AuthenticationError": FailureCode.PROVIDER_CONFIGURATION,
    "refuse=403:AccountOverdueError": FailureCode.PROVIDER_CONFIGURATION,
    "refuse=404:ModelNotOpen": FailureCode.PROVIDER_CONFIGURATION,
    "refuse=429:SetLimitExceeded": FailureCode.PROVIDER_CONFIGURATION,
    "moderation_input": FailureCode.MODERATION_INPUT,
    "moderation_output": FailureCode.MODERATION_OUTPUT,
    "fail": FailureCode.PROVIDER_ERROR,
    "expire": FailureCode.PROVIDER_EXPIRED,
}
LOST_RESPONSES = ("error_after_accept", "drop_after_accept", "garbage_body", "slow_accept=3")
NEVER_LISTED = "drop_after_accept][emulator:list_lag=999999"
BAD_RESULTS = ("result_403", "result_truncated", "result_truncated_chunked", "result_html", "result_not_mp4")
SLOW_RESULTS = ("result_not_ready=2", "result_wrong_type", "timeless")
GRANTED = 1000


@dataclass(frozen=True)
class Requested:
    """A generation that was requested on an account of its own, so that its ledger holds nothing else."""

    environment: Saga
    account: str
    generation: str

    async def closed(self, within: float = 20) -> list[str]:
        """The ledger's actions for it, once its hold is settled, refunded or denied."""
        return await self.environment.closed(self.account, self.generation, within)

    async def until(self, action: str) -> Sequence[RecordedEvent]:
        return await self.environment.until(self.account, self.generation, action)

    async def events(self) -> list[Event]:
        return [recorded.event for recorded in await self.environment.video(self.account, self.generation)]

    async def actions(self) -> list[str]:
        return [event.action for event in await self.events()]

    async def outcomes(self) -> list[str]:
        """What the provider did with each create request."""
        return [entry["outcome"] for entry in await self.environment.emulator.submissions(self.generation)]

    async def balances(self) -> tuple[int, int]:
        """Available and held."""
        found = await self.environment.balances(self.account)
        return found["available"], found["held"]


async def requested(environment: Saga, account: str, prompt: str) -> Requested:
    await environment.grant(account, GRANTED)
    return Requested(environment, account, await environment.request(account, prompt))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(
    s3: S3Server, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Saga]:
    folder = tmp_path_factory.mktemp("saga")
    async with nats_server(folder) as nats, saga(nats, s3, emulator, folder) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faulty(environment: Saga) -> dict[str, Requested]:
    """A generation for every fault that a prompt can name: they are waited for side by side."""
    markers = (*FAILURES, *LOST_RESPONSES, NEVER_LISTED, *BAD_RESULTS, *SLOW_RESULTS)
    return {
        marker: await requested(environment, f"account-{number}", f"a lighthouse [emulator:{marker}]")
        for number, marker in enumerate(markers)
    }


@pytest.mark.parametrize("marker", FAILURES)
async def test_a_refusal_or_failure_is_named_and_refunded(faulty: dict[str, Requested], marker: str) -> None:
    generation = faulty[marker]

    assert await generation.closed() == ["debited", "refunded"]

    failed = (await generation.events())[-1]
    assert isinstance(failed, GenerationFailed)
    assert failed.code is FAILURES[marker]
    assert failed.message
    assert "lighthouse" not in failed.message
    assert len(await generation.outcomes()) == 1
    assert await generation.balances() == (GRANTED, 0)


@pytest.mark.parametrize("marker", LOST_RESPONSES)
async def test_a_task_whose_response_was_lost_is_adopted_and_not_bought_again(
    faulty: dict[str, Requested], marker: str
) -> None:
    generation = faulty[marker]

    assert await generation.closed() == ["debited", "settled"]

    submitted = [event for event in await generation.events() if isinstance(event, GenerationSubmitted)]
    assert [event.adopted for event in submitted] == [True]
    assert len(await generation.outcomes()) == 1
    assert await generation.balances() == (GRANTED - 40, 0)


async def test_a_provider_that_takes_tasks_and_lists_none_is_asked_twice_at_most(
    faulty: dict[str, Requested],
) -> None:
    generation = faulty[NEVER_LISTED]

    assert await generation.closed(within=40) == ["debited", "refunded"]

    failed = (await generation.events())[-1]
    assert isinstance(failed, GenerationFailed)
    assert (failed.stage, failed.code) == (Stage.SUBMISSION, FailureCode.SUBMISSION_UNRESOLVED)
    assert await generation.outcomes() == ["accepted:drop_after_accept"] * 2
    assert await generation.balances() == (GRANTED, 0)


@pytest.mark.parametrize("marker", BAD_RESULTS)
async def test_a_result_that_cannot_be_fetched_is_refunded(faulty: dict[str, Requested], marker: str) -> None:
    generation = faulty[marker]

    assert await generation.closed() == ["debited", "refunded"]

    failed = (await generation.events())[-1]
    assert isinstance(failed, VideoStorageFailed)
    assert (failed.side, failed.stopgap_url) == (StorageFailure.SOURCE, None)
    assert await generation.balances() == (GRANTED, 0)


@pytest.mark.parametrize("marker", SLOW_RESULTS)
async def test_a_result_that_is_late_or_mislabelled_is_stored(
    faulty: dict[str, Requested], marker: str
) -> None:
    generation = faulty[marker]

    assert await generation.closed() == ["debited", "settled"]
    assert (await generation.actions())[-1] == "stored"


async def test_a_task_proven_absent_is_submitted_again(environment: Saga) -> None:
    prompt = "a lighthouse in fog"
    await environment.emulator.fault("error_before_accept", match=prompt)
    generation = await requested(environment, "absent", prompt)

    assert await generation.closed() == ["debited", "settled"]

    assert [action for action in await generation.actions() if action != "progressed"] == [
        "requested", "submission_started", "submission_deferred", "submission_started", "submitted", "ready", "stored",
    ]  # fmt: skip
    assert len(await generation.outcomes()) == 2


async def test_a_task_that_the_list_shows_late_is_not_bought_twice(environment: Saga) -> None:
    prompt = "a lighthouse at dusk"
    await environment.emulator.fault("list_lag", "1", match=prompt)
    await environment.emulator.fault("drop_after_accept", match=prompt)
    generation = await requested(environment, "late-list", prompt)

    assert await generation.closed() == ["debited", "settled"]
    assert len(await generation.outcomes()) == 1


async def test_too_many_requests_are_submitted_again_after_a_pause(environment: Saga) -> None:
    prompt = "two lighthouses"
    await environment.emulator.fault("rate_limit", times=2, match=prompt)
    generation = await requested(environment, "rate-limited", prompt)

    assert await generation.closed() == ["debited", "settled"]
    actions = await generation.actions()
    assert (actions.count("submission_deferred"), actions.count("submission_started")) == (2, 3)


async def test_a_queued_task_is_cancelled_at_the_provider(environment: Saga) -> None:
    prompt = "a lighthouse without visitors"
    await environment.emulator.fault("task_seconds", "60", match=prompt)
    generation = await requested(environment, "cancelled", prompt)
    await generation.until("submitted")
    await environment.cancel(generation.account, generation.generation)

    assert await generation.closed() == ["debited", "refunded"]
    assert (await generation.actions())[-1] == "cancelled"
    assert await generation.balances() == (GRANTED, 0)


async def test_a_running_task_goes_on_after_a_cancel_and_is_delivered(environment: Saga) -> None:
    prompt = "a lighthouse already being painted"
    await environment.emulator.fault("task_seconds", "4", match=prompt)
    generation = await requested(environment, "not-cancelled", prompt)

    async def statuses() -> list[str]:
        return [str(getattr(event, "provider_status", "")) for event in await generation.events()]

    await environment.poll(statuses, lambda found: "running" in found, 15, "running")
    await environment.cancel(generation.account, generation.generation)
    events = await generation.until("cancel_declined")
    assert isinstance(events[-1].event, CancelDeclined)

    assert await generation.closed() == ["debited", "settled"]
    assert (await generation.actions())[-1] == "stored"


async def test_a_cancel_before_the_debit_costs_nothing(environment: Saga) -> None:
    await environment.grant("unpaid", GRANTED)
    await environment.stop("credits")
    generation = Requested(environment, "unpaid", await environment.request("unpaid"))
    await environment.cancel(generation.account, generation.generation)
    await generation.until("cancelled")
    await environment.start("credits")

    assert await generation.closed() in (["denied"], ["debited", "refunded"])
    assert await generation.actions() == ["requested", "cancel_requested", "cancelled"]
    assert await generation.balances() == (GRANTED, 0)
    assert await generation.outcomes() == []


async def test_work_whose_timer_is_an_hour_away_goes_on(environment: Saga) -> None:
    """A clock that was an hour ahead set it; the sweeper knows that no such timer waits for so long."""
    generation = await requested(environment, "clock-ahead", "a lighthouse [emulator:task_seconds=1]")
    await generation.until("submitted")
    await environment.stop("generation")
    await environment.connection.jetstream().purge_stream("TIMERS")
    timers = JetStreamTimers(environment.connection, "generation")
    await timers.set(
        Timer("wake", (generation.account, generation.generation)), utc_now() + timedelta(hours=1)
    )
    await environment.start("generation")

    assert await generation.closed() == ["debited", "settled"]
