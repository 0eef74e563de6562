"""What the provider does wrong, and what becomes of the generation and its credits.

Every case ends: settled with a video, or refunded with a code from the closed list. Never both, never neither.
"""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.servers.instances import NatsServer, S3Server

from telecine_chassis.runtime.bootstrap import utc_now
from telecine_chassis.timers.jetstream import JetStreamTimers
from telecine_chassis.timers.port import Timer
from telecine_contracts.generation import (
    CancelDeclined,
    FailureCode,
    GenerationFailed,
    GenerationSubmitted,
    LateResultRecorded,
    Stage,
)
from telecine_contracts.storage import StorageFailure, VideoStorageFailed


@pytest.fixture
async def environment(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[Saga]:
    async with saga(nats, s3, emulator, tmp_path) as running:
        await running.grant("ann", 1000)
        yield running


@pytest.fixture
async def short_deadline(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[Saga]:
    """Gives a task one second, and looks often afterwards."""
    async with saga(nats, s3, emulator, tmp_path, overrides={"generation": {"deadline": 1}}) as running:
        await running.grant("ann", 1000)
        yield running


async def assert_balanced(environment: Saga, available: int) -> None:
    """Nothing is held any more, and this is left."""
    assert await environment.balances("ann") == {"available": available, "held": 0}


@pytest.mark.parametrize(
    ("marker", "code"),
    [
        ("refuse", FailureCode.INVALID_REQUEST),
        ("refuse=400:InputImageSensitiveContentDetected", FailureCode.MODERATION_INPUT),
        ("refuse=401:AuthenticationError", FailureCode.PROVIDER_CONFIGURATION),
        ("refuse=403:AccountOverdueError", FailureCode.PROVIDER_CONFIGURATION),
        ("refuse=404:ModelNotOpen", FailureCode.PROVIDER_CONFIGURATION),
        ("refuse=429:SetLimitExceeded", FailureCode.PROVIDER_CONFIGURATION),
        ("moderation_input", FailureCode.MODERATION_INPUT),
        ("moderation_output", FailureCode.MODERATION_OUTPUT),
        ("fail", FailureCode.PROVIDER_ERROR),
        ("expire", FailureCode.PROVIDER_EXPIRED),
    ],
)
async def test_a_refusal_or_failure_is_named_and_refunded(
    environment: Saga, marker: str, code: FailureCode
) -> None:
    generation = await environment.request("ann", f"a lighthouse [emulator:{marker}]")

    assert await environment.closed("ann", generation) == ["debited", "refunded"]

    failed = (await environment.video("ann", generation))[-1].event
    assert isinstance(failed, GenerationFailed)
    assert failed.code is code
    assert failed.message
    assert "lighthouse" not in failed.message
    assert len(await environment.emulator.submissions(generation)) == 1
    await assert_balanced(environment, 1000)


@pytest.mark.parametrize(
    "marker", ["error_after_accept", "drop_after_accept", "garbage_body", "slow_accept=3"]
)
async def test_an_answer_that_was_lost_is_found_again_and_never_bought_twice(
    environment: Saga, marker: str
) -> None:
    generation = await environment.request("ann", f"a lighthouse [emulator:{marker}]")

    assert await environment.closed("ann", generation) == ["debited", "settled"]

    submitted = [
        r.event
        for r in await environment.video("ann", generation)
        if isinstance(r.event, GenerationSubmitted)
    ]
    assert [event.adopted for event in submitted] == [True]
    assert len(await environment.emulator.submissions(generation)) == 1
    await assert_balanced(environment, 960)


async def test_a_task_proven_absent_is_submitted_again(environment: Saga) -> None:
    prompt = "a lighthouse in fog"
    await environment.emulator.fault("error_before_accept", match=prompt)
    generation = await environment.request("ann", prompt)

    assert await environment.closed("ann", generation) == ["debited", "settled"]

    actions = [
        name for name in action_names(await environment.video("ann", generation)) if name != "progressed"
    ]
    assert actions == [
        "requested", "submission_started", "submission_deferred", "submission_started", "submitted", "ready", "stored",
    ]  # fmt: skip
    outcomes = await environment.emulator.submissions(generation)
    assert len(outcomes) == 2


async def test_a_provider_that_takes_tasks_and_lists_none_is_asked_twice_at_most(environment: Saga) -> None:
    lost = "[emulator:drop_after_accept][emulator:list_lag=999999]"
    generation = await environment.request("ann", f"a lighthouse {lost}")

    assert await environment.closed("ann", generation, within=40) == ["debited", "refunded"]

    failed = (await environment.video("ann", generation))[-1].event
    assert isinstance(failed, GenerationFailed)
    assert (failed.stage, failed.code) == (Stage.SUBMISSION, FailureCode.SUBMISSION_UNRESOLVED)
    outcomes = [entry["outcome"] for entry in await environment.emulator.submissions(generation)]
    assert outcomes == ["accepted:drop_after_accept"] * 2
    await assert_balanced(environment, 1000)


async def test_a_task_that_the_list_shows_late_is_not_bought_twice(environment: Saga) -> None:
    prompt = "a lighthouse at dusk"
    await environment.emulator.fault("list_lag", "1", match=prompt)
    await environment.emulator.fault("drop_after_accept", match=prompt)
    generation = await environment.request("ann", prompt)

    assert await environment.closed("ann", generation) == ["debited", "settled"]
    assert len(await environment.emulator.submissions(generation)) == 1


async def test_work_whose_timer_is_an_hour_away_goes_on(environment: Saga) -> None:
    """A clock that was an hour ahead set it; the sweeper knows that no such timer waits for so long."""
    generation = await environment.request("ann", "a lighthouse [emulator:task_seconds=1]")
    await environment.until("ann", generation, "submitted")
    await environment.stop("generation")
    await environment.connection.jetstream().purge_stream("TIMERS")
    timers = JetStreamTimers(environment.connection, "generation")
    await timers.set(Timer("wake", ("ann", generation)), utc_now() + timedelta(hours=1))
    await environment.start("generation")

    assert await environment.closed("ann", generation) == ["debited", "settled"]


async def test_too_many_requests_are_submitted_again_after_a_pause(environment: Saga) -> None:
    prompt = "two lighthouses"
    await environment.emulator.fault("rate_limit", times=2, match=prompt)
    generation = await environment.request("ann", prompt)

    assert await environment.closed("ann", generation) == ["debited", "settled"]
    actions = action_names(await environment.video("ann", generation))
    assert actions.count("submission_deferred") == 2
    assert actions.count("submission_started") == 3


async def test_a_provider_that_never_takes_it_is_given_up_and_refunded(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(
        nats, s3, emulator, tmp_path, overrides={"generation": {"submission_patience": 0.5}}
    ) as environment:
        await environment.grant("ann", 1000)
        generation = await environment.request("ann", "a lighthouse [emulator:rate_limit]")

        assert await environment.closed("ann", generation) == ["debited", "refunded"]
        failed = (await environment.video("ann", generation))[-1].event
        assert isinstance(failed, GenerationFailed)
        assert failed.code is FailureCode.PROVIDER_UNAVAILABLE


async def test_a_task_past_its_deadline_fails_and_is_refunded(short_deadline: Saga) -> None:
    generation = await short_deadline.request("ann", "a lighthouse [emulator:hang]")

    assert await short_deadline.closed("ann", generation) == ["debited", "refunded"]

    failed = (await short_deadline.video("ann", generation))[-1].event
    assert isinstance(failed, GenerationFailed)
    assert (failed.code, failed.message) == (FailureCode.DEADLINE, "Video generation timeout after 1 second")
    await assert_balanced(short_deadline, 1000)


async def test_a_status_nobody_knows_counts_as_running_until_the_deadline(short_deadline: Saga) -> None:
    generation = await short_deadline.request("ann", "a lighthouse [emulator:unknown_status]")

    assert await short_deadline.closed("ann", generation) == ["debited", "refunded"]
    failed = (await short_deadline.video("ann", generation))[-1].event
    assert isinstance(failed, GenerationFailed)
    assert failed.code is FailureCode.DEADLINE


async def test_a_late_success_is_recorded_and_not_delivered(short_deadline: Saga) -> None:
    generation = await short_deadline.request("ann", "a lighthouse [emulator:task_seconds=3]")

    assert await short_deadline.closed("ann", generation) == ["debited", "refunded"]
    events = await short_deadline.until("ann", generation, "late_result")

    late = events[-1].event
    assert isinstance(late, LateResultRecorded)
    assert late.provider_status == "succeeded"
    assert late.usage.total_tokens
    assert "ready" not in action_names(events)
    assert await short_deadline.closed("ann", generation) == ["debited", "refunded"]
    await assert_balanced(short_deadline, 1000)


async def test_a_queued_task_is_cancelled_at_the_provider(environment: Saga) -> None:
    prompt = "a lighthouse that nobody wants"
    await environment.emulator.fault("task_seconds", "60", match=prompt)
    generation = await environment.request("ann", prompt)
    await environment.until("ann", generation, "submitted")
    await environment.cancel("ann", generation)

    assert await environment.closed("ann", generation) == ["debited", "refunded"]
    assert action_names(await environment.video("ann", generation))[-1] == "cancelled"
    await assert_balanced(environment, 1000)


async def test_a_running_task_goes_on_after_a_cancel_and_is_delivered(environment: Saga) -> None:
    prompt = "a lighthouse already being painted"
    await environment.emulator.fault("task_seconds", "4", match=prompt)
    generation = await environment.request("ann", prompt)
    await environment.until("ann", generation, "progressed", within=5)

    async def running() -> list[str]:
        return [
            str(getattr(r.event, "provider_status", "")) for r in await environment.video("ann", generation)
        ]

    await environment.poll(running, lambda found: "running" in found, 10, "running")
    await environment.cancel("ann", generation)
    events = await environment.until("ann", generation, "cancel_declined")
    assert isinstance(events[-1].event, CancelDeclined)

    assert await environment.closed("ann", generation) == ["debited", "settled"]
    assert action_names(await environment.video("ann", generation))[-1] == "stored"


async def test_a_cancel_before_the_debit_costs_nothing(environment: Saga) -> None:
    await environment.stop("credits")
    generation = await environment.request("ann")
    await environment.cancel("ann", generation)
    await environment.until("ann", generation, "cancelled")
    await environment.start("credits")

    ends = await environment.closed("ann", generation)
    assert ends in (["denied"], ["debited", "refunded"])
    await environment.poll(
        lambda: environment.video("ann", generation), lambda found: len(found) == 3, 5, "no more events"
    )
    await assert_balanced(environment, 1000)
    assert await environment.emulator.submissions(generation) == []


@pytest.mark.parametrize(
    "marker", ["result_403", "result_truncated", "result_truncated_chunked", "result_html", "result_not_mp4"]
)
async def test_a_result_that_can_not_be_fetched_is_refunded(environment: Saga, marker: str) -> None:
    generation = await environment.request("ann", f"a lighthouse [emulator:{marker}]")

    assert await environment.closed("ann", generation) == ["debited", "refunded"]

    failed = (await environment.video("ann", generation))[-1].event
    assert isinstance(failed, VideoStorageFailed)
    assert (failed.side, failed.stopgap_url) == (StorageFailure.SOURCE, None)
    await assert_balanced(environment, 1000)


@pytest.mark.parametrize("marker", ["result_not_ready=2", "result_wrong_type", "timeless"])
async def test_a_result_that_comes_in_the_end_is_stored(environment: Saga, marker: str) -> None:
    generation = await environment.request("ann", f"a lighthouse [emulator:{marker}]")

    assert await environment.closed("ann", generation) == ["debited", "settled"]
    assert action_names(await environment.video("ann", generation))[-1] == "stored"


async def test_a_bucket_that_is_gone_until_the_url_dies_gives_a_stopgap(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    day = 24 * 3600
    overrides = {"storage": {"s3_secret_key": secrets.token_hex(32), "copy_margin": day - 1}}
    async with saga(nats, s3, emulator, tmp_path, overrides=overrides) as environment:
        await environment.grant("ann", 1000)
        generation = await environment.request("ann")

        assert await environment.closed("ann", generation) == ["debited", "settled"]
        failed = (await environment.video("ann", generation))[-1].event
        assert isinstance(failed, VideoStorageFailed)
        assert failed.side is StorageFailure.BUCKET
        assert failed.stopgap_url is not None
        assert failed.stopgap_expires_at is not None
