"""From a request to a stored video and settled credits, on real parts."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.servers.instances import NatsServer, S3Server

from telecine_contracts.generation import FailureCode, GenerationFailed, GenerationSubmitted
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


async def test_a_flex_task_is_found_again_and_followed_in_its_own_list(environment: Saga) -> None:
    await environment.grant("ann", 100)
    prompt = "a lighthouse [emulator:drop_after_accept]"
    generation = await environment.request("ann", prompt, service_tier="flex")

    assert await environment.closed("ann", generation) == ["debited", "settled"]

    events = await environment.video("ann", generation)
    (submitted,) = (each.event for each in events if isinstance(each.event, GenerationSubmitted))
    assert (submitted.adopted, submitted.service_tier) == (True, "flex")
    assert submitted.provider_task_id.startswith("cgt-batch-")
    assert submitted.deadline_at - submitted.submitted_at == timedelta(days=1)
    (sent,) = await environment.emulator.submissions(generation)
    assert sent["body"]["service_tier"] == "flex"
    assert sent["body"]["execution_expires_after"] == 48 * 3600


async def test_references_and_options_reach_the_provider(environment: Saga) -> None:
    await environment.grant("ann", 100)
    media = {"image": "https://media.example.com/1.jpg", "video": "https://media.example.com/1.mp4"}
    generation = await environment.request(
        "ann",
        model="doubao-seedance-2-0-260128",
        resolution="480p",
        ratio="adaptive",
        duration=4,
        generate_audio=True,
        priority=3,
        references=[{"type": kind, "role": f"reference_{kind}", "url": url} for kind, url in media.items()],
    )

    assert await environment.closed("ann", generation) == ["debited", "settled"]

    (sent,) = await environment.emulator.submissions(generation)
    body = sent["body"]
    assert (body["generate_audio"], body["priority"], body["duration"]) == (True, 3, 4)
    assert [item.get("role") for item in body["content"]] == [None, "reference_image", "reference_video"]
    assert "service_tier" not in body


async def test_without_credits_nothing_is_submitted(environment: Saga) -> None:
    generation = await environment.request("poor")

    events = await environment.until("poor", generation, "failed")

    assert action_names(events) == ["requested", "failed"]
    failed = events[-1].event
    assert isinstance(failed, GenerationFailed)
    assert failed.code is FailureCode.INSUFFICIENT_CREDITS
    assert await environment.closed("poor", generation) == ["denied"]
    assert await environment.emulator.submissions(generation) == []
