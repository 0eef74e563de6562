"""Work that would never end is given up in time, and its credits come back."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.servers.instances import NatsServer, S3Server

from telecine_contracts.generation import FailureCode, GenerationFailed, LateResultRecorded
from telecine_contracts.storage import StorageFailure, VideoStorageFailed


@pytest.fixture
async def short_deadline(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[Saga]:
    """Gives a task one second, and polls often afterwards."""
    async with saga(nats, s3, emulator, tmp_path, overrides={"generation": {"deadline": 1}}) as running:
        await running.grant("ann", 1000)
        yield running


async def test_a_task_past_its_deadline_fails_and_is_refunded(short_deadline: Saga) -> None:
    """A status that the provider never documented counts as running."""
    markers = ("hang", "unknown_status")
    generations = [
        await short_deadline.request("ann", f"a lighthouse [emulator:{marker}]") for marker in markers
    ]

    for generation in generations:
        assert await short_deadline.closed("ann", generation) == ["debited", "refunded"]
        failed = (await short_deadline.video("ann", generation))[-1].event
        assert isinstance(failed, GenerationFailed)
        message = "Video generation timeout after 1 second"
        assert (failed.code, failed.message) == (FailureCode.DEADLINE, message)
    assert await short_deadline.balances("ann") == {"available": 1000, "held": 0}


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
    assert await short_deadline.balances("ann") == {"available": 1000, "held": 0}


async def test_a_provider_that_never_takes_the_task_is_given_up_and_refunded(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    overrides = {"generation": {"submission_patience": 0.5}}
    async with saga(nats, s3, emulator, tmp_path, overrides=overrides) as environment:
        await environment.grant("ann", 1000)
        generation = await environment.request("ann", "a lighthouse [emulator:rate_limit]")

        assert await environment.closed("ann", generation) == ["debited", "refunded"]
        failed = (await environment.video("ann", generation))[-1].event
        assert isinstance(failed, GenerationFailed)
        assert failed.code is FailureCode.PROVIDER_UNAVAILABLE


async def test_a_bucket_that_is_gone_until_the_url_expires_gives_a_stopgap(
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
