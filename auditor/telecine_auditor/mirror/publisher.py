"""Publishes entries to a stream byte for byte and checks that each gets its sequence."""

import json
from asyncio import Future, get_running_loop, wait
from typing import Any, Self

from nats.aio.subscription import Subscription

from telecine_auditor.errors import CommandError, SourceError
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.server import REPLY_TIMEOUT, as_source_errors
from telecine_jetstream.client import NatsClient

__all__ = ["StreamPublisher"]

_IN_FLIGHT = 500
_FILTER = "Nats-Expected-Last-Subject-Sequence-Subject"


class StreamPublisher:
    """An async context manager that publishes many entries ahead of their acknowledgements.

    `replicated`: the stream has replicas, which refuse a second entry of an account (error 10164) until they have
    agreed on the first.
    """

    def __init__(self, client: NatsClient, stream: str, *, replicated: bool) -> None:
        self._client, self._stream, self._replicated = client, stream, replicated
        self._inbox = client.new_inbox()
        self._waiting: dict[str, tuple[int, str]] = {}
        self._about: set[str] = set()
        self._enough: Future[None] | None = None
        self._left = 0
        self._problem: Exception | None = None
        self._hearing: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._hearing = await self._client.subscribe_raw(f"{self._inbox}.*", self._acknowledged)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._hearing:
            await self._client.unsubscribe_raw(self._hearing)

    async def write(self, entry: StoredMessage) -> None:
        """Publish an entry that must get its own sequence.

        Raises CommandError or SourceError, also for entries published before.
        """
        about = entry.header(_FILTER) or entry.subject if self._replicated else ""
        if about and about in self._about:
            await self._until(0)
        elif len(self._waiting) >= _IN_FLIGHT:
            await self._until(_IN_FLIGHT // 2)
        reply = f"{self._inbox}.{entry.sequence}"
        self._waiting[reply] = entry.sequence, about
        self._about.add(about)
        with as_source_errors():
            await self._client.publish_raw(entry.subject, reply, entry.head, entry.body)

    async def settle(self) -> None:
        """Wait until everything is acknowledged. Raises CommandError or SourceError."""
        await self._until(0)

    async def _until(self, left: int) -> None:
        if self._problem is None and len(self._waiting) > left:
            self._left, self._enough = left, get_running_loop().create_future()
            with self._client.failing_if_refused(self._enough):
                await wait((self._enough,), timeout=REPLY_TIMEOUT)
            if not self._enough.done():
                raise SourceError(
                    f"no acknowledgement for entries of {self._stream}: run it again to continue"
                )
            with as_source_errors():
                self._enough.result()
        if self._problem:
            raise self._problem

    def _acknowledged(self, reply: str, head: bytes, body: bytes) -> None:
        sequence, about = self._waiting.pop(reply, (0, ""))
        if not sequence:
            return
        self._about.discard(about)
        if self._problem is None:
            self._problem = _problem(self._stream, sequence, body)
        enough = self._enough
        if enough and not enough.done() and (self._problem or len(self._waiting) <= self._left):
            enough.set_result(None)


def _problem(stream: str, sequence: int, body: bytes) -> Exception | None:
    try:
        answer: dict[str, Any] = json.loads(body)
    except ValueError:
        return CommandError(f"no stream of the server has the subject of entry {sequence} of {stream}")
    if "error" in answer:
        message = answer["error"].get("description", "?")
        return CommandError(
            f"entry {sequence} of {stream} was refused, {message}: --renumber publishes without expected sequences"
        )
    if answer.get("duplicate"):
        return CommandError(
            f"entry {sequence} of {stream} has the message id of entry {answer['seq']} and was not stored"
        )
    if answer.get("seq") != sequence:
        return CommandError(
            f"entry {sequence} of {stream} became number {answer.get('seq')}, another client writes there: "
            "stop the services, delete the stream, create it again with `telecine provision`, and restore again"
        )
    return None
