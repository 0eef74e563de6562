"""A durable pull consumer: its messages arrive on one subscription, and requests ask ahead for as many as may come.

A request costs the server and the client more than a message. So one asks for as many messages as the program has free
slots, waits at the server until it is used up, and the next one follows when half of the slots are free again. The
protocol is that of JetStream's pull consumers (ADR-9, ADR-13): a status message ends a request, and idle heartbeats
show that it still waits.
"""

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Callable

from nats.aio.subscription import Subscription

from .client import NatsClient
from .messages import HeaderLines, StoredMessage

__all__ = ["Delivery", "PullConsumer"]

EXPIRES = 30
"""Seconds for which a request waits at the server."""
HEARTBEAT = 1
"""Seconds between two heartbeats of a request for which nothing arrives."""
SILENCE = 2.5
"""Seconds without message or heartbeat after which the server has forgotten what was requested."""
REFUSED_DELAY = 0.25
"""Seconds until the next request after one that was refused: the consumer was deleted, or has no leader."""
GATHER_DELAY = 0.002
"""Seconds in which more slots may become free before fewer than half of them are requested."""
NANOSECONDS = 10**9
_SHORT_REPLY = 9
"""Tokens of a delivery's reply subject without domain and account."""
_STATUS = slice(9, 12)
_HEARTBEAT = b"100"
_UNUSED = re.compile(rb"\r\nNats-Pending-Messages: (\d+)\r\n")
_ACK, _NAK, _PROGRESS, _TERM = b"", b"-NAK", b"+WPI", b"+TERM"


class Delivery:
    """One message as it was delivered. Acknowledgements are sent without waiting, see `NatsClient.publish_nowait`.

    `sequence`: of the stream. `delivered`: how often the message was delivered, at least once.
    """

    __slots__ = ("_client", "body", "delivered", "head", "reply", "sequence", "subject")

    def __init__(self, client: NatsClient, subject: str, reply: str, head: bytes, body: bytes) -> None:
        tokens = reply.split(".")
        at = 4 if len(tokens) == _SHORT_REPLY else 6
        self._client = client
        self.subject = subject
        self.reply = reply
        self.head = head
        self.body = body
        self.delivered = int(tokens[at])
        self.sequence = int(tokens[at + 1])

    def stored(self) -> StoredMessage:
        """The message as its stream has it."""
        return StoredMessage(self.subject, self.sequence, HeaderLines(self.head), self.body)

    def ack(self) -> None:
        """Never deliver the message again."""
        self._client.publish_nowait(self.reply, _ACK)

    def nak(self, delay: float | None = None) -> None:
        """Deliver the message again, at once or in `delay` seconds."""
        options = b" " + json.dumps({"delay": int(delay * NANOSECONDS)}).encode() if delay else b""
        self._client.publish_nowait(self.reply, _NAK + options)

    def in_progress(self) -> None:
        """Begin the time for an acknowledgement anew."""
        self._client.publish_nowait(self.reply, _PROGRESS)

    def term(self) -> None:
        """Give the message up."""
        self._client.publish_nowait(self.reply, _TERM)


class PullConsumer:
    """Calls `listener` in the read loop with each message of the consumer; it must not raise.

    What is delivered and what is requested is never more than `slots` messages together, except after the server was
    silent or the connection was lost: what had been requested before may then still come. Call `release` for each
    message when its slot is free again, and `tend` a few times in a second.
    """

    def __init__(
        self,
        client: NatsClient,
        stream: str,
        name: str,
        listener: Callable[[Delivery], None],
        *,
        slots: int,
    ) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"
        self._listener = listener
        self._slots = slots
        self._enough = max(1, slots // 2)
        self._held: OrderedDict[Delivery, float] = OrderedDict()
        self._requested = 0
        self._heard = 0.0
        self._silent = False
        self._epoch = 0
        self._inbox = ""
        self._reply = ""
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._subscription: Subscription | None = None
        self._loop: asyncio.AbstractEventLoop

    async def start(self) -> None:
        """Subscribe and send the first request. Raises errors of nats-py."""
        self._loop = asyncio.get_running_loop()
        self._inbox = self._client.new_inbox() + "."
        self._subscription = await self._client.subscribe_deliveries(self._inbox + "*", self._receive)
        self._client.add_reconnect_listener(self._reconnected)
        self._forget()
        self._request()

    async def stop(self, timeout: float = 1) -> None:
        """Request and receive nothing more. The listener still gets what the server has sent until it confirms that,
        or `timeout` seconds have passed."""
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        self._forget()
        self._client.remove_reconnect_listener(self._reconnected)
        await self._client.unsubscribe_deliveries(subscription, timeout)

    def release(self, delivery: Delivery) -> None:
        """The message takes up no slot any more: it was acknowledged, or is to be delivered again."""
        self._held.pop(delivery, None)
        self._request()

    def tend(self, extend_every: float) -> None:
        """Extend the time for acknowledging messages that are held for `extend_every` seconds, or were extended that
        long ago; request again when the server is silent. Raises the errors of `NatsClient.publish_nowait`."""
        now, held = self._loop.time(), self._held
        # The oldest is first: messages are added, and after an extension moved, to the end.
        while held:
            delivery, since = next(iter(held.items()))
            if since > now - extend_every or since == now:
                break
            delivery.in_progress()
            held[delivery] = now
            held.move_to_end(delivery)
        if not self._requested:
            return
        # Twice: after this process was suspended, the heartbeats may lie unread in its socket.
        silent, self._silent = self._silent, now - self._heard > SILENCE
        if silent and self._silent:
            self._forget()
            self._request()

    def _receive(self, subject: str, reply: str, head: bytes, body: bytes) -> None:
        self._heard = now = self._loop.time()
        if subject.startswith(self._inbox):
            if subject == self._reply:
                self._status(head)
            return
        self._requested = max(0, self._requested - 1)
        delivery = Delivery(self._client, subject, reply, head, body)
        self._held[delivery] = now
        self._listener(delivery)

    def _status(self, head: bytes) -> None:
        if head[_STATUS] == _HEARTBEAT:
            return
        if (unused := _UNUSED.search(head)) is not None:  # 408: one request has expired
            self._requested = max(0, self._requested - int(unused[1]))
            self._request()
            return
        # 409 and 503: the consumer was deleted or has changed its leader, the server stops, or has no such consumer.
        self._forget(pause=True)

    def _reconnected(self) -> None:
        self._forget()
        self._request()

    def _forget(self, *, pause: bool = False) -> None:
        """Take everything that was requested for lost: a reply to it does not count any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(REFUSED_DELAY, self._resume) if pause else None
        self._paused = pause
        self._epoch += 1
        self._reply = f"{self._inbox}{self._epoch}"
        self._requested = 0
        self._silent = False

    def _resume(self) -> None:
        self._timer, self._paused = None, False
        self._request(gathered=True)

    def _request(self, *, gathered: bool = False) -> None:
        """Request messages for the free slots. Few of them wait for more, at most GATHER_DELAY."""
        if self._subscription is None or self._paused or not self._client.is_connected:
            return
        free = self._slots - len(self._held) - self._requested
        if free <= 0:
            return
        if free < self._enough and not gathered:
            if not self._requested and self._timer is None:
                self._timer = self._loop.call_later(GATHER_DELAY, self._resume)
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._requested:
            self._heard = self._loop.time()
        self._requested += free
        self._client.publish_nowait(self._next, _request_body(free), self._reply)


def _request_body(batch: int) -> bytes:
    times = {"expires": int(EXPIRES * NANOSECONDS), "idle_heartbeat": int(HEARTBEAT * NANOSECONDS)}
    return json.dumps({"batch": batch, **times}).encode()
