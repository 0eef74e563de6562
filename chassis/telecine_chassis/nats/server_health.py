"""Asks the NATS servers themselves how they are: whether each stream can be written, and how full the store is."""

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
"""Seconds for the first answer."""
NEXT = 0.25
"""Seconds for the answer of one more server of a cluster."""
FRESH = 1.0
"""Seconds for which a good answer holds."""
SILENCE = 60
"""Seconds before asking again after a request without an answer: the identity may lack the right to ask."""


class ServerHealth:
    """What the servers say of themselves, asked over the connection of a service.

    A stream whose write failed, e.g. on a full disk, still answers every request but a publish, and goes on to fail
    after there is room again: only the server's health check shows it.
    """

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._not_before = -math.inf
        self._healthy_until = -math.inf

    async def problem(self) -> str | None:
        """Why no server is healthy, or None. Also None where the servers do not answer this identity.

        One that was healthy is not asked again within a second: a proxy may ask for readiness many times in one.
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
        """The answers of the servers, as they come."""
        now = asyncio.get_running_loop().time
        if now() < self._not_before:
            return
        inbox = self._connection.new_inbox()
        answers = await self._connection.subscribe(inbox)
        try:
            await self._connection.publish(subject, reply=inbox)
            patience = FIRST
            while True:
                message = await answers.next_msg(timeout=patience)
                if not message.data:  # no responders: a server that knows no identities
                    raise nats.errors.TimeoutError
                yield json.loads(message.data)
                patience = NEXT
        except nats.errors.TimeoutError:
            if patience == FIRST:
                self._not_before = now() + SILENCE
        finally:
            await answers.unsubscribe()
