"""The demonstration's client: a gateway may hear of a key after whoever got it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from telecine_chassis.http import HttpServer
from telecine_cli.failure import Failure
from telecine_cli.gateway_client import GatewayClient, gateway_client
from telecine_cli.ports import LOOPBACK


@asynccontextmanager
async def gateway(*statuses: int) -> AsyncIterator[GatewayClient]:
    """A client of a server that gives these answers, one after the other, and the last one from then on."""
    left = list(statuses)

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        status = left.pop(0) if len(left) > 1 else left[0]
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b'{"id": "g1"}'})

    server = HttpServer(answer, LOOPBACK, 0)
    await server.start()
    try:
        async with gateway_client(f"http://{LOOPBACK}:{server.port}", "tk_test") as client:
            yield client
    finally:
        await server.stop()


async def test_a_key_that_was_made_just_now_is_tried_again() -> None:
    async with gateway(401, 401, 200) as client:
        assert await client.generate({"prompt": "a cat"}) == "g1"


async def test_a_key_that_stays_unknown_is_told() -> None:
    async with gateway(401) as client:
        hasty = GatewayClient(client.client, known_by=0)
        with pytest.raises(Failure, match="answered 401 to POST /api/video/generate"):
            await hasty.generate({"prompt": "a cat"})
