"""FastStream's broker over a `NatsClient`."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any

import nats.errors
from faststream.nats import NatsBroker
from faststream.nats.security import NatsNKey, NatsSecurity
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import ServiceUnavailableError

from telecine_jetstream.client import NatsClient
from telecine_jetstream.identity import NatsIdentity

__all__ = ["Broker", "broker_security"]

NO_RESPONDERS_DELAY = 0.25
"""Seconds before fetching again after "no responders"."""
SUBSCRIBE_TIMEOUT = 5
"""Seconds that the server gets to process a service's subscriptions."""

Fetch = Callable[..., Coroutine[Any, Any, list[Msg]]]


class Broker(NatsBroker):
    """FastStream's broker; once `start` returns, the server has processed its subscriptions."""

    async def _connect(self) -> Client:
        client = NatsClient()
        await client.connect(**self._connection_kwargs)
        self.config.connect(client)
        return client

    async def start(self) -> None:
        await super().start()
        for subscriber in self.subscribers:
            pulling = getattr(subscriber, "subscription", None)
            if isinstance(pulling, JetStreamContext.PullSubscription):
                pulling.fetch = _with_delay(pulling.fetch)  # type: ignore[method-assign]
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


def _with_delay(fetch: Fetch) -> Fetch:
    """`fetch`, but its errors come after a delay.

    While there is no consumer, or no server that leads it, FastStream fetches again without a pause: a thousand times
    a second, when a cluster is busy electing a leader. On a closed connection that loop would never yield to the task
    that ends the service.
    """

    async def fetch_with_delay(*arguments: Any, **options: Any) -> list[Msg]:
        try:
            return await fetch(*arguments, **options)
        except (nats.errors.ConnectionClosedError, ServiceUnavailableError):
            await asyncio.sleep(NO_RESPONDERS_DELAY)
            raise

    return fetch_with_delay
