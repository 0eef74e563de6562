"""FastStream's broker over a `NatsClient`, for handlers that reply to requests.

Durable consumers do not use it: its pull subscriber sends one request for each message (ADR 47).
"""

from contextlib import suppress
from types import TracebackType
from typing import Any

import nats.errors
from faststream.nats import NatsBroker, NatsMessage
from faststream.nats.security import NatsNKey, NatsSecurity
from nats.aio.client import Client

from telecine_jetstream.client import NatsClient
from telecine_jetstream.identity import NatsIdentity

__all__ = ["Broker", "broker_security", "undecoded_body"]

SUBSCRIBE_TIMEOUT = 5
"""Seconds that the server gets to process a service's subscriptions."""


class Broker(NatsBroker):
    """FastStream's broker; once `start` returns, the server has processed its subscriptions."""

    async def _connect(self) -> Client:
        client = NatsClient()
        await client.connect(**self._connection_kwargs)
        self.config.connect(client)
        return client

    async def start(self) -> None:
        await super().start()
        client = self._connection
        if client is not None:
            # Without this round trip a request from another service may arrive before the subscription to it. Where
            # the connection was lost again, the client subscribes again when it is back.
            with suppress(nats.errors.Error):
                await client.flush(SUBSCRIBE_TIMEOUT)

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        try:
            await super().stop(exc_type, exc_val, exc_tb)
        except* nats.errors.ConnectionClosedError:
            pass  # nothing is left to stop


def broker_security(identity: NatsIdentity) -> NatsSecurity | None:
    """The options of `NatsIdentity.client_options` in the form that FastStream takes them."""
    tls: dict[str, Any] = {"ssl_context": identity.tls, "tls_handshake_first": True} if identity.tls else {}
    if identity.nkey_seed is not None:
        return NatsNKey.from_file(identity.nkey_seed, **tls)
    return NatsSecurity(**tls) if tls else None


async def undecoded_body(message: NatsMessage) -> bytes:
    """A decoder that returns the body: FastStream silently drops messages that it can't decode."""
    return message.body
