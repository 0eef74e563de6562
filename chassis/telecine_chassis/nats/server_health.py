"""Health of the NATS servers, as they report it: whether each stream can be written, and how full the store is."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from typing import Any

import nats.errors
from nats.aio.client import Client

from telecine_contracts.permissions import SERVER_HEALTH, SERVER_STATE

__all__ = ["ServerHealth"]

FIRST = 1.0
"""Seconds to wait for the first reply."""
NEXT = 0.25
"""Seconds to wait for the reply of each further server of a cluster."""
FRESH = 1.0
"""Seconds for which a healthy reply is cached."""
SILENCE = 60
"""Seconds before the next request after one without a reply: the identity may lack the permission."""


class ServerHealth:
    """Requests the servers' health over the connection of a service.

    A stream whose write failed, e.g. on a full disk, still serves every request except publishing, and keeps failing
    after there is space again: only the server's health check shows it.
    """

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._not_before = -math.inf
        self._healthy_until = -math.inf

    async def problem(self) -> str | None:
        """Why no server is healthy, or None. Also None where the servers do not reply to this identity.

        A healthy reply is cached for a second, since load balancers may check readiness many times in one.
        """
        now = asyncio.get_running_loop().time
        if now() < self._healthy_until:
            return None
        found: str | None = None
        async for answer in self._answers(SERVER_HEALTH):
            health = answer["data"]
            if health["status"] == "ok":
                self._healthy_until = now() + FRESH
                return None
            found = f"NATS: {health.get('error') or health['status']}"
        return found

    async def stored(self) -> Mapping[str, float]:
        """By server: the bytes that its streams use on disk."""
        return {name: each["stats"]["storage"] for name, each in (await self._storage()).items()}

    async def limit(self) -> Mapping[str, float]:
        """By server: the bytes that its streams may use on disk (`max_file_store`)."""
        return {name: each["config"]["max_storage"] for name, each in (await self._storage()).items()}

    async def _storage(self) -> Mapping[str, Any]:
        answers = [answer async for answer in self._answers(SERVER_STATE)]
        return {
            answer["server"]["name"]: answer["statsz"]["jetstream"]
            for answer in answers
            if "jetstream" in answer["statsz"]
        }

    async def _answers(self, subject: str) -> AsyncIterator[dict[str, Any]]:
        """The servers' replies as they arrive."""
        now = asyncio.get_running_loop().time
        if now() < self._not_before:
            return
        inbox = self._connection.new_inbox()
        answers = await self._connection.subscribe(inbox)
        try:
            await self._connection.publish(subject, reply=inbox)
            timeout = FIRST
            while True:
                message = await answers.next_msg(timeout=timeout)
                if not message.data:  # no responders: a server without accounts
                    raise nats.errors.TimeoutError
                yield json.loads(message.data)
                timeout = NEXT
        except nats.errors.TimeoutError:
            if timeout == FIRST:
                self._not_before = now() + SILENCE
        finally:
            await answers.unsubscribe()
