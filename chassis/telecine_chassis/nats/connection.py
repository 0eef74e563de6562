"""One way to connect to NATS: for ever, loudly, and never as a zombie."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import nats.errors
import structlog
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.transport import TcpTransport
from nats.js import JetStreamContext
from nats.js.errors import ServiceUnavailableError
from nats.protocol.parser import AUTHORIZATION_VIOLATION

from telecine_chassis.runtime.cancellation import end

from .identity import ANONYMOUS, NatsIdentity

__all__ = ["Broker", "NatsClient", "PermissionDenied", "PermissionViolation", "connect", "options"]

log = structlog.get_logger(__name__)
CLOSING = 1
"""Seconds that a connection gets to end in order."""
REFUSED = 0.25
"""Seconds until a subscriber asks again that was told that there is nobody to ask."""
SUBSCRIBING = 5
"""Seconds that the server gets to take a service's subscriptions."""
REMEMBERED = 4096
"""Questions that are remembered, so that a refusal finds whoever waits for the answer."""
CONNECT = b"CONNECT "
_DENIED = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"', re.IGNORECASE)
_ANSWER = "_r_."
"""How the server begins the subject of an answer that goes to another account."""
_PULL = "$js.api.consumer.msg.next."


Fetch = Callable[..., Coroutine[Any, Any, list[Msg]]]


class PermissionDenied(nats.errors.Error):
    """The server does not let this identity publish there; nothing was published."""


@dataclass(frozen=True, slots=True)
class PermissionViolation:
    """What the server does not let this identity do. `subject` in small letters, as the client hands it on."""

    action: str
    subject: str

    @classmethod
    def of(cls, problem: Exception) -> "PermissionViolation | None":
        """The denial that an error tells of, if it does. The protocol has words for it, and no code."""
        if (
            isinstance(problem, nats.errors.AuthorizationError)
            or AUTHORIZATION_VIOLATION in str(problem).lower()
        ):
            return cls("connection", "")
        found = _DENIED.search(str(problem))
        return cls(found[1].lower(), found[2]) if found else None

    @property
    def loses_reply(self) -> bool:
        """Whether it is about an answer: when its page of users changes, the server forgets who waits for one."""
        return self.action == "publish" and self.subject.startswith(_ANSWER)

    @property
    def is_fatal(self) -> bool:
        """Whether it leaves the service without its messages, for good and in silence."""
        return self.action != "publish" or self.subject.startswith(_PULL)

    def __str__(self) -> str:
        if self.action == "connection":
            return (
                "the NATS server does not know this identity, or wants one: see TELECINE_NATS_NKEY_SEED_FILE"
            )
        return f"the NATS server does not let this identity {_VERBS[self.action]} {self.subject}"


_VERBS = {"publish": "publish on", "subscription": "subscribe to"}


class NatsClient(Client):
    """nats-py's client, but a refused question or publish is told to whoever waits for its answer, at once.

    The server's refusal comes beside the connection, with the subject and nothing else; the answer would never come.
    URLs begin with nats:// or tls://.
    """

    def __init__(self) -> None:
        super().__init__()
        self._transport = _Transport()
        self._asked: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)

    async def connect(self, *servers: Any, **options: Any) -> None:
        """As the client does, but what keeps it from connecting, or whoever cancels it, leaves nothing behind.

        `closed_cb` is not told of a connection that never was.
        """
        closed = options.pop("closed_cb", None)
        connecting = asyncio.ensure_future(super().connect(*servers, **options))
        try:
            await asyncio.wait([connecting])
            connecting.result()
        except BaseException:
            await end(connecting, every=0.1)
            await self.close()
            raise
        self._closed_cb = closed

    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, Any] | None = None
    ) -> None:
        """As the client does."""
        if reply:
            self._asked.append((subject, reply))
        await super().publish(subject, payload, reply, headers)

    def refused(self, denial: PermissionViolation) -> None:
        """End the waits for answers that will not come: to a publish, or all where they can't be listened to."""
        waiting = self._resp_map or {}
        if denial.action == "publish":
            asked = [reply for subject, reply in self._asked if subject.lower() == denial.subject]
            waiting = {token: waiting[token] for reply in asked if (token := _token(reply)) in waiting}
        for answer in list(waiting.values()):
            if not answer.done():
                answer.set_exception(PermissionDenied(str(denial)))


def _token(reply: str) -> str:
    """The end of a reply subject, by which the client knows the question."""
    return reply.rpartition(".")[2]


class _Transport(TcpTransport):
    """The client's, but it does not wait for ever for the end of what was to become TLS and did not.

    asyncio never tells of that end, and the client waits for it before it tries again. And CONNECT goes out with the
    PING behind it: a server that refuses the one closes at once, and a PING that was still to be sent would find the
    connection reset, and the reason lost.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._introduction = b""

    def __bool__(self) -> bool:
        return True  # else the client makes one of its own

    def write(self, payload: bytes) -> None:
        if payload.startswith(CONNECT):
            self._introduction = payload
            return
        first, self._introduction = self._introduction, b""
        super().write(first + payload)  # type: ignore[no-untyped-call]

    async def wait_closed(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await super().wait_closed()  # type: ignore[no-untyped-call]


class Broker(NatsBroker):
    """FastStream's broker, over a connection like the others. Once it has started, the server knows what it hears."""

    async def _connect(self) -> Client:
        connection = NatsClient()
        await connection.connect(**self._connection_kwargs)
        self.config.connect(connection)
        return connection

    async def start(self) -> None:
        """As the framework does; then wait for the server: a question of somebody else's may be quicker."""
        await super().start()
        for subscriber in self.subscribers:
            pulling = getattr(subscriber, "subscription", None)
            if isinstance(pulling, JetStreamContext.PullSubscription):
                pulling.fetch = _with_refusal_delay(pulling.fetch)  # type: ignore[method-assign]
        connection = self._connection
        if connection is not None:
            with suppress(nats.errors.Error):  # it is away again: coming back, the client subscribes again
                await connection.flush(SUBSCRIBING)

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        """As the framework does; of a connection that is closed for good nothing is left to stop."""
        try:
            await super().stop(exc_type, exc_val, exc_tb)
        except* nats.errors.ConnectionClosedError:
            pass


def _with_refusal_delay(fetch: Fetch) -> Fetch:
    """`fetch`, but a refusal takes a moment.

    FastStream asks for the next message again at once, for as long as there is no consumer, or no server that leads it:
    a thousand times a second, just when a cluster has enough to do. On a connection that is closed for good it would
    never let anybody else go on, least of all whoever ends the service because of it.
    """

    async def ask(*arguments: Any, **options: Any) -> list[Msg]:
        try:
            return await fetch(*arguments, **options)
        except (nats.errors.ConnectionClosedError, ServiceUnavailableError):
            await asyncio.sleep(REFUSED)
            raise

    return ask


def options(
    name: str,
    on_closed: Callable[[], Awaitable[None]] | None = None,
    *,
    on_denied: Callable[[PermissionViolation], None] = lambda denial: None,
) -> dict[str, Any]:
    """Connection options for a service called `name`.

    Reconnects without end (the client's default gives up after two minutes and lives on deaf); a silent server is
    noticed within 20 s. What the server refuses reaches only the error callback: it is logged at error level with its
    subject, and told to `on_denied`. `on_closed` is told when the connection is closed for good.
    """

    async def error(problem: Exception) -> None:
        denial = PermissionViolation.of(problem)
        if denial is None:
            log.error("nats.error", error=type(problem).__name__, detail=str(problem)[:200])
            return
        if denial.loses_reply:
            log.warning(
                "nats.answer_lost", detail="the server's users were reloaded while a request was served"
            )
            return
        log.error("nats.not_allowed", action=denial.action, subject=denial.subject)
        on_denied(denial)

    async def disconnected() -> None:
        log.warning("nats.disconnected")

    async def reconnected() -> None:
        log.info("nats.reconnected")

    async def closed() -> None:
        if on_closed is not None:
            await on_closed()

    return {
        "name": name,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.2,
        "ping_interval": 10,
        "max_outstanding_pings": 2,
        "connect_timeout": 5,
        "error_cb": error,
        "disconnected_cb": disconnected,
        "reconnected_cb": reconnected,
        "closed_cb": closed,
        "inbox_prefix": f"_INBOX.{name}",
    }


async def connect(
    url: str,
    name: str,
    on_closed: Callable[[], Awaitable[None]] | None = None,
    *,
    access: NatsIdentity = ANONYMOUS,
) -> NatsClient:
    """A connection to the NATS servers at `url` (several: separated by commas). Raises OSError or nats' errors."""
    connection = NatsClient()

    def denied(denial: PermissionViolation) -> None:
        connection.refused(denial)

    shown = options(name, on_closed, on_denied=denied)
    await connection.connect(servers=url.split(","), **shown, **access.client_options())
    return connection
