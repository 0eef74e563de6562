"""NATS client: requests that the server refuses fail at once, and header blocks can be read and written as bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import Header
from nats.protocol.command import hpub_cmd, pub_cmd
from nats.protocol.parser import AWAITING_CONTROL_LINE

from .errors import ConnectionLost, PermissionDenied, PermissionViolation
from .frames import FrameReader, Listener
from .messages import parse_headers
from .transport import Transport

__all__ = ["DeliveryListener", "NatsClient", "RawListener"]

RawListener = Callable[[str, bytes, bytes], None]
"""Takes subject, header block (empty without headers) and body of one message."""
DeliveryListener = Callable[[str, str, bytes, bytes], None]
"""Takes subject, reply subject (empty without one), header block and body of one message."""
_CANCEL_INTERVAL = 0.1
_ANY_SUBJECT = ""
_STATUS = slice(9, 12)
_NO_RESPONDERS = b"503"


class NatsClient(Client):
    """nats-py's client with four differences; URLs begin with nats:// or tls://.

    A refused publish is reported by the server beside the connection, without a reply: here the request that waits
    for that reply fails with PermissionDenied instead of running into its timeout. A `connect` that fails or is
    cancelled leaves no connection behind. Messages can be received and published with the header block as it is on
    the wire; nats-py's dict keeps one of several lines of one name, and no white space. And no task has to be woken to
    write a message, or to read one that has a listener or is the reply to a request.
    """

    def __init__(self) -> None:
        super().__init__()
        self._transport = self._tcp = Transport()
        self._waiting: dict[str, set[asyncio.Future[Any]]] = {}
        self._listeners: dict[int, Listener] = {}
        self._reconnect_listeners: list[Callable[[], None]] = []
        self._replies: dict[str, RawListener] = {}
        self._replies_to = ""
        self._is_writing = False
        self._reports: set[asyncio.Future[None]] = set()

    async def connect(self, *servers: Any, **options: Any) -> None:
        """Like nats-py's. `closed_cb` is not called for a connection that was never established."""
        self._replies_to, self._is_writing = "", False  # of an earlier connection
        closed = options.pop("closed_cb", None)
        options["error_cb"] = self._failing_refused(options.get("error_cb"))
        options["reconnected_cb"] = self._telling_reconnected(options.get("reconnected_cb"))
        connecting = asyncio.ensure_future(super().connect(*servers, **options))
        try:
            await asyncio.wait([connecting])
            connecting.result()
        except BaseException:
            # Up to Python 3.11 wait_for, which nats-py uses, may swallow a cancellation: repeat it.
            while not connecting.done():
                connecting.cancel()
                await asyncio.wait([connecting], timeout=_CANCEL_INTERVAL)
            await self.close()
            raise
        self._closed_cb = closed

    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, Any] | None = None
    ) -> None:
        """Like nats-py's."""
        if reply and self._resp_map and (waiting := self._resp_map.get(_token(reply))) is not None:
            self._watch(subject, waiting)
        await super().publish(subject, payload, reply, headers)

    async def publish_raw(self, subject: str, reply: str, head: bytes, body: bytes) -> None:
        """Publish with the header lines `head` as they are. Raises ConnectionLost when the connection is closed."""
        block = b"NATS/1.0\r\n" + head + b"\r\n"
        command = hpub_cmd(subject, reply, block, body) if head else pub_cmd(subject, reply, body)
        if self.is_closed:
            raise ConnectionLost("the connection to NATS was lost")
        await self._send_command(command)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    def publish_nowait(self, subject: str, body: bytes = b"", reply: str = "", head: bytes = b"") -> None:
        """Publish with the header lines `head`, without waiting. While the client reconnects, the message is buffered.

        Raises ConnectionLost when the connection is closed, and nats' OutboundBufferLimitError when the buffer is full.
        """
        if self.is_closed:
            raise ConnectionLost("the connection to NATS was lost")
        block = b"NATS/1.0\r\n" + head + b"\r\n" if head else b""
        command = hpub_cmd(subject, reply, block, body) if head else pub_cmd(subject, reply, body)
        if not self.is_connected and self._pending_data_size + len(command) > self._max_pending_size:
            raise nats.errors.OutboundBufferLimitError
        self._pending.append(command)
        self._pending_data_size += len(command)
        if self.is_connected:
            self._write_soon()

    async def request_raw(self, subject: str, body: bytes, head: bytes = b"", *, timeout: float) -> bytes:
        """The body of the reply to a request. `timeout` in seconds.

        Raises nats' TimeoutError, NoRespondersError and OutboundBufferLimitError, PermissionDenied, and ConnectionLost.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()

        def receive(subject: str, head: bytes, body: bytes) -> None:
            if answer.done():
                return
            if head[_STATUS] == _NO_RESPONDERS:
                answer.set_exception(nats.errors.NoRespondersError())
            else:
                answer.set_result(body)

        limit = loop.call_later(timeout, _time_out, answer)
        try:
            async with self.replies(receive) as reply:
                with self.failing_if_refused(answer, subject):
                    self.publish_nowait(subject, body, reply, head)
                    return await answer
        finally:
            limit.cancel()

    async def subscribe_raw(self, subject: str, listener: RawListener) -> Subscription:
        """Call `listener` for every message on `subject`, in the read loop, until `unsubscribe_raw`."""

        def take(subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
            listener(subject.decode(), head, body)

        return await self._subscribe_with(take, subject)

    async def subscribe_deliveries(self, subject: str, listener: DeliveryListener) -> Subscription:
        """Like `subscribe_raw`, for a listener that also needs the reply subject, until `unsubscribe_deliveries`."""

        def take(subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
            listener(subject.decode(), reply.decode(), head, body)

        return await self._subscribe_with(take, subject)

    async def _subscribe_with(self, listener: Listener, subject: str) -> Subscription:
        def take(subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
            try:
                listener(subject, reply, head, body)
            except Exception as error:  # otherwise it would end the connection
                report = asyncio.ensure_future(self._error_cb(error))
                self._reports.add(report)
                report.add_done_callback(self._reports.discard)

        subscription = await self.subscribe(subject, cb=_not_raw)
        self._listeners[subscription._id] = take
        return subscription

    @asynccontextmanager
    async def replies(self, listener: RawListener) -> AsyncIterator[str]:
        """A subject for the replies to one request, without a subscription for each request: `listener` takes them."""
        if not self._replies_to:
            self._replies_to = self.new_inbox() + "."
            try:
                await self.subscribe_raw(self._replies_to + "*", self._receive_reply)
            except BaseException:
                self._replies_to = ""
                raise
        subject = self._replies_to + self._nuid.next().decode()
        self._replies[subject] = listener
        try:
            yield subject
        finally:
            del self._replies[subject]

    def _receive_reply(self, subject: str, head: bytes, body: bytes) -> None:
        if (listener := self._replies.get(subject)) is not None:
            listener(subject, head, body)

    async def unsubscribe_raw(self, subscription: Subscription) -> None:
        """End what `subscribe_raw` began."""
        self._listeners.pop(subscription._id, None)
        if self.is_connected:
            await subscription.unsubscribe()

    async def unsubscribe_deliveries(self, subscription: Subscription, timeout: float) -> None:
        """End what `subscribe_deliveries` began; the listener still gets what the server had sent before.

        `timeout`: seconds that the server gets to confirm; without an answer the listener is removed all the same.
        """
        try:
            if self.is_connected:
                await self._send_unsubscribe(subscription._id)
                with suppress(nats.errors.Error, TimeoutError):
                    await self.flush(timeout)  # type: ignore[arg-type]
        finally:
            self._listeners.pop(subscription._id, None)
            subscription._stop_processing()
            self._remove_sub(subscription._id)

    def add_reconnect_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every reconnection; the server has forgotten what was requested before."""
        self._reconnect_listeners.append(listener)

    def remove_reconnect_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._reconnect_listeners.remove(listener)

    @contextmanager
    def failing_if_refused(
        self, waiting: "asyncio.Future[Any]", subject: str = _ANY_SUBJECT
    ) -> Iterator[None]:
        """Within the block, `waiting` fails when publishing on `subject` (default: on any) is refused."""
        key = subject.lower()
        futures = self._waiting.setdefault(key, set())
        futures.add(waiting)
        try:
            yield
        finally:
            self._forget(key, waiting)

    def fail_pending_requests(self, violation: PermissionViolation) -> None:
        """Fail the requests that `violation` leaves without a reply: to its subject, or all if it is not a publish."""
        error = PermissionDenied(str(violation))
        if violation.action == "publish":
            self._fail(violation.subject, error)
            self._fail(_ANY_SUBJECT, error)
        else:
            self.fail_all_pending(error)

    def fail_all_pending(self, error: Exception) -> None:
        """Fail every request that waits for a reply."""
        for key in list(self._waiting):
            self._fail(key, error)

    def _fail(self, key: str, error: Exception) -> None:
        for waiting in self._waiting.get(key, ()):
            if not waiting.done():
                waiting.set_exception(error)

    def _watch(self, subject: str, waiting: "asyncio.Future[Any]") -> None:
        key = subject.lower()
        self._waiting.setdefault(key, set()).add(waiting)
        waiting.add_done_callback(lambda done: self._forget(key, done))

    def _forget(self, key: str, waiting: "asyncio.Future[Any]") -> None:
        futures = self._waiting.get(key, set())
        futures.discard(waiting)
        if not futures:
            self._waiting.pop(key, None)

    def _failing_refused(self, callback: Any) -> Any:
        async def on_error(error: Exception) -> None:
            if (violation := PermissionViolation.of(error)) is not None:
                self.fail_pending_requests(violation)
            if callback is not None:
                await callback(error)

        return on_error

    def _telling_reconnected(self, callback: Any) -> Any:
        async def on_reconnected() -> None:
            for listener in list(self._reconnect_listeners):
                listener()
            if callback is not None:
                await callback()

        return on_reconnected

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if (listener := self._listeners.get(sid)) is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            listener(
                subject, reply, headers or b"", data
            )  # without headers it is None, whatever its type says

    async def _init_request_sub(self) -> None:
        """Like nats-py's, but replies are read with `FrameReader`."""
        self._resp_map = {}
        prefix = self._inbox_prefix + b"." + self._nuid.next() + b"."
        self._resp_sub_prefix = prefix

        def receive(subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
            waiting = self._resp_map.get(_token(subject.decode()))
            if waiting is not None and not waiting.done():
                waiting.set_result(
                    Msg(_client=self, subject=subject.decode(), data=body, headers=reply_headers(head))
                )

        await self._subscribe_with(receive, prefix.decode() + "*")

    async def _read_loop(self) -> None:
        self._tcp.read_first(FrameReader(self._listeners), self._is_between_messages)
        await super()._read_loop()

    def _is_between_messages(self) -> bool:
        return self.is_connected and not self._ps.buf and self._ps.state == AWAITING_CONTROL_LINE

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        # nats-py wakes a task that writes what is pending.
        if force_flush or not self.is_connected or self._tcp.is_congested:
            return await super()._flush_pending(force_flush)
        self._write_soon()
        return None

    async def _send_ping(self, future: "asyncio.Future[Any] | None" = None) -> None:
        # nats-py writes the PING before what is pending, so that its answer would say nothing about that.
        if self.is_connected:
            self._write_pending()
        await super()._send_ping(future)

    def _write_soon(self) -> None:
        """Write everything that this turn of the event loop publishes at its end, with one system call."""
        if not self._is_writing:
            self._is_writing = True
            asyncio.get_running_loop().call_soon(self._write_pending)

    def _write_pending(self) -> None:
        self._is_writing = False
        if self._pending and self.is_connected:
            pending, self._pending, self._pending_data_size = self._pending, [], 0
            self._tcp.write(b"".join(pending))


def _time_out(answer: "asyncio.Future[bytes]") -> None:
    if not answer.done():
        answer.set_exception(nats.errors.TimeoutError())


def _token(reply: str) -> str:
    """The last token of a reply subject, by which nats-py finds the request."""
    return reply.rpartition(".")[2]


async def _not_raw(message: Msg) -> None:
    # A nats-py that dispatches messages in another way must not pass for an empty stream.
    raise AssertionError(f"this version of nats-py bypasses raw listeners: {message.subject}")


def reply_headers(head: bytes) -> dict[str, str] | None:
    """The headers of a reply as nats-py has them, status and description among them; None without any."""
    first, _, lines = head.partition(b"\r\n")
    status, _, description = first.removeprefix(b"NATS/1.0").strip().partition(b" ")
    headers = {Header.STATUS: status.decode()} if status else {}
    if description:
        headers[Header.DESCRIPTION] = description.decode()
    return headers | parse_headers(lines) or None
