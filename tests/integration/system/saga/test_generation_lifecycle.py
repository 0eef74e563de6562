"""From a request to a stored video and settled credits, on real parts."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.servers.instances import NatsServer, S3Server

from telecine_contracts.generation import FailureCode, GenerationFailed
from telecine_contracts.storage import VideoStored


@pytest.fixture
async def environment(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[Saga]:
    async with saga(nats, s3, emulator, tmp_path) as running:
        yield running


async def test_a_prompt_becomes_a_stored_video_and_is_paid_for(environment: Saga) -> None:
    await environment.grant("ann", 100)
    generation = await environment.request("ann")

    assert await environment.closed("ann", generation) == ["debited", "settled"]

    events = await environment.video("ann", generation)
    assert [name for name in action_names(events) if name != "progressed"] == [
        "requested", "submission_started", "submitted", "ready", "stored",
    ]  # fmt: skip
    stored = events[-1].event
    assert isinstance(stored, VideoStored)
    with environment.s3.client() as client:
        body = client.get_object(Bucket=stored.bucket, Key=stored.key)["Body"].read()
    assert hashlib.sha256(body).hexdigest() == stored.sha256
    assert (stored.width, stored.height) == (864, 480)
    assert stored.duration == pytest.approx(2, abs=0.1)
    assert await environment.balances("ann") == {"available": 60, "held": 0}
    assert len(await environment.emulator.submissions(generation)) == 1


async def test_without_credits_nothing_is_submitted(environment: Saga) -> None:
    generation = await environment.request("poor")

    events = await environment.until("poor", generation, "failed")

    assert action_names(events) == ["requested", "failed"]
    failed = events[-1].event
    assert isinstance(failed, GenerationFailed)
    assert failed.code is FailureCode.INSUFFICIENT_CREDITS
    assert await environment.closed("poor", generation) == ["denied"]
    assert await environment.emulator.submissions(generation) == []
