"""Requests to other services that are repeated until a reply arrives; for idempotent operations."""

import asyncio
from collections.abc import Mapping

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

__all__ = ["RETRY_INTERVAL", "request_with_retry"]

RETRY_INTERVAL = 1.5
"""Seconds without a reply. When the server reloads its users, replies to requests in progress are lost."""


async def request_with_retry(
    connection: Client,
    subject: str,
    body: bytes,
    *,
    timeout: float,
    retry_interval: float = RETRY_INTERVAL,
    headers: Mapping[str, str] | None = None,
) -> Msg:
    """The reply within `timeout` seconds; the request is sent again every `retry_interval` seconds.

    Raises errors of NATS, also ConnectionReconnectingError, and TimeoutError.
    """
    now = asyncio.get_running_loop().time
    give_up = now() + timeout
    while True:
        # nats-py would buffer the request and send it after the reconnection, perhaps behind a newer one.
        if not connection.is_connected:
            raise nats.errors.ConnectionReconnectingError
        left = give_up - now()
        try:
            return await connection.request(
                subject, body, timeout=min(left, retry_interval), headers=dict(headers or {})
            )
        except TimeoutError:  # nats' TimeoutError, too
            if left <= retry_interval:
                raise
