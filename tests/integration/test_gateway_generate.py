"""Asking for a video over HTTP, with real streams and the real credits service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.gateway import Gateway, World, world
from tests.support.parts import NatsServer

from telecine_contracts import subjects
from telecine_contracts.gateway import GenerationRequested


@pytest.fixture
async def parts(nats: NatsServer, tmp_path: Path) -> AsyncIterator[World]:
    async with world(nats, tmp_path) as parts, parts.credits():
        yield parts


@pytest.fixture
async def gateway(parts: World) -> AsyncIterator[Gateway]:
    async with parts.gateway() as gateway:
        yield gateway


async def test_accepted_with_the_remaining_credits(parts: World, gateway: Gateway) -> None:
    owner = await parts.owner(gateway, credits=300)

    answer = await owner.generate({"prompt": "a cat", "duration": 5.0})

    body = answer.json()
    assert answer.status_code == 200, body
    assert body == {"id": body["id"], "taskId": body["id"], "status": "processing", "remainingCredits": 250}
    credits = (await owner.get("/api/credits")).json()
    assert (credits["available"], credits["held"]) == (250, 50)
    recorded = await parts.load(subjects.video(owner.account, body["id"]))
    event = recorded[0].event
    assert isinstance(event, GenerationRequested)
    assert (event.price.credits, event.parameters.ratio, event.parameters.resolution) == (50, "16:9", "720p")
    assert recorded[0].envelope.source == "telecine/gateway"
    assert recorded[0].envelope.correlation == body["id"]


async def test_too_poor(parts: World, gateway: Gateway) -> None:
    owner = await parts.owner(gateway, credits=30)

    answer = await owner.generate()

    assert answer.status_code == 402
    assert answer.json() == {"error": "Insufficient credits", "creditsNeeded": 50, "remainingCredits": 30}


async def test_fifty_posts_with_credits_for_one(parts: World, gateway: Gateway) -> None:
    owner = await parts.owner(gateway, credits=50)

    answers = await asyncio.gather(*(owner.generate() for _ in range(50)))

    assert sorted(answer.status_code for answer in answers) == [200] + [402] * 49
    credits = (await owner.get("/api/credits")).json()
    assert (credits["available"], credits["held"]) == (0, 50)
