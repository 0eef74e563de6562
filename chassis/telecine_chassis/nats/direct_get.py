"""Batched direct get (ADR-31): one question, many stored messages. Needs no consumer, hence no right to make one."""

import asyncio
import json
from asyncio import Future
from dataclasses import dataclass, field

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import APIError, ServiceUnavailableError

from telecine_chassis.eventstore.messages import StoredMessage, from_direct

__all__ = ["LARGEST", "MessagePage", "page"]

LARGEST = 1000
"""Messages that the server hands out for one question."""
END, NOTHING, NOBODY = "204", "404", "503"
"""The end of a batch; no such message; nobody answers: no stream, no direct gets, or no JetStream."""


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Consecutive messages of a filter. `pending`: how many more the server had when it answered, about."""

    records: list[StoredMessage]
    pending: int


async def page(
    connection: Client, stream: str, subject: str, after: int, *, limit: int, timeout: float
) -> MessagePage:
    """Up to `limit` messages that `subject` selects, behind sequence `after`, none left out between them.

    Any replica may answer, also one that lags behind: what comes is a beginning of what there is. `timeout` is in
    seconds without any answer. Raises nats' errors: TimeoutError, ServiceUnavailableError, APIError.
    """
    answers = _BatchReceiver(asyncio.get_running_loop().create_future())
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox, cb=answers.take)
    try:
        question = {"seq": after + 1, "next_by_subj": subject, "batch": min(limit, LARGEST)}
        await connection.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(question).encode(), reply=inbox)
        await answers.all(timeout)
    finally:
        if not connection.is_closed:
            await subscription.unsubscribe()
    return MessagePage(answers.records, answers.pending)


@dataclass(slots=True)
class _BatchReceiver:
    """Each answer names the sequence before it, so that one which was lost on the way is noticed."""

    ended: Future[None]
    records: list[StoredMessage] = field(default_factory=list)
    pending: int = 0
    _previous: str = "0"
    _broken: bool = False

    async def take(self, message: Msg) -> None:
        headers = message.headers or {}
        if "Nats-Sequence" in headers:  # a stored message may have a header called Status
            self._broken = self._broken or headers["Nats-Last-Sequence"] != self._previous
            if not self._broken:
                self._previous = headers["Nats-Sequence"]
                self.pending = int(headers["Nats-Num-Pending"])
                self.records.append(from_direct(message))
        elif not self.ended.done():
            self._end(headers.get("Status", ""))

    def _end(self, status: str) -> None:
        if status in (END, NOTHING):
            self.ended.set_result(None)
        elif status == NOBODY:
            self.ended.set_exception(ServiceUnavailableError())
        else:
            self.ended.set_exception(APIError(description=f"direct get answered {status}"))

    async def all(self, timeout: float) -> None:
        """Wait for the last answer."""
        seen = -1
        while not self.ended.done():
            if len(self.records) == seen:
                raise nats.errors.TimeoutError
            seen = len(self.records)
            await asyncio.wait([self.ended], timeout=timeout)
        self.ended.result()
