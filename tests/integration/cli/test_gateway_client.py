"""The demonstration's client tells what a gateway said that did not do what it was asked for."""

from typing import Any

import pytest

from telecine_chassis.http_server.server import HttpServer
from telecine_cli.demo.gateway_client import gateway_client
from telecine_cli.errors import CommandError
from telecine_cli.stack.ports import LOOPBACK


async def unauthorized(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b'{"error": "Unauthorized"}'})


async def test_an_error_response_is_reported() -> None:
    server = HttpServer(unauthorized, LOOPBACK, 0)
    await server.start()
    try:
        async with gateway_client(f"http://{LOOPBACK}:{server.port}", "tk_test") as client:
            with pytest.raises(
                CommandError, match=r"POST /api/video/generate failed with status 401: .+Unauthorized"
            ):
                await client.generate({"prompt": "a cat"})
    finally:
        await server.stop()
