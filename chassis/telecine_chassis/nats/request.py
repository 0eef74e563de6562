"""A request to another service, sent again while no answer comes: for work that is done once, however often asked."""

import asyncio
from collections.abc import Mapping

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

__all__ = ["RETRY_INTERVAL", "request_with_retry"]

RETRY_INTERVAL = 1.5
"""Seconds without an answer. A reload of the server's users loses the answers to requests that are being served."""


async def request_with_retry(
    connection: Client,
    subject: str,
    body: bytes,
    *,
    timeout: float,
    retry_interval: float = RETRY_INTERVAL,
    headers: Mapping[str, str] | None = None,
) -> Msg:
    """The answer, which `timeout` seconds are waited for; the request is sent again every `retry_interval` seconds.

    While the connection is lost nothing is sent: the client would keep it and send it later, perhaps after a newer one.
    Raises errors of NATS, also ConnectionReconnectingError, and TimeoutError.
    """
    now = asyncio.get_running_loop().time
    give_up = now() + timeout
    while True:
        if not connection.is_connected:
            raise nats.errors.ConnectionReconnectingError
        left = give_up - now()
        try:
            return await connection.request(
                subject, body, timeout=min(left, retry_interval), headers=dict(headers or {})
            )
        except TimeoutError:  # also that of NATS
            if left <= retry_interval:
                raise
