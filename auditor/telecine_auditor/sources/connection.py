"""A connection to NATS that gives up within seconds, and that hands out header bytes as they were stored."""

import json
import ssl
from asyncio import FIRST_COMPLETED, Future, ensure_future, get_running_loop, timeout, wait
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats.errors
import nkeys  # type: ignore[import-untyped]
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.protocol.command import hpub_cmd, pub_cmd
from nats.protocol.parser import PERMISSIONS_ERR

from .permissions import INBOX_PREFIX
from .port import SourceError

__all__ = ["ANSWER_SECONDS", "ANY", "Connection", "Interrupted", "NotAllowed", "Server", "connect"]

Listener = Callable[[str, bytes, bytes], None]
"""Takes subject, header bytes (empty without headers) and body of one message."""
ANSWER_SECONDS = 10
ANY = "any"
"""For `Connection.asking`: whatever is refused ends the wait."""
_ATTEMPTS_TO_COME_BACK = 20
_WAIT_SECONDS = 0.5
_CLOSE_SECONDS = 1
_CONNECT_SECONDS = 3
_SCHEMES = ("nats", "tls")
_CONNECT = b"CONNECT "


class Interrupted(SourceError):
    """The connection was lost while an answer was awaited; it may be back already."""


class NotAllowed(SourceError):
    """The server does not let this identity ask; names the subject that it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Which servers (URLs with commas between), and who asks: an nkey, a JWT user, a name with a password.

    `inbox`: the beginning of the subjects on which that identity may hear answers; None: the auditor's.
    """

    url: str
    nkey_seed: Path | None = None
    creds: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    tls_ca: Path | None = None
    inbox: str | None = None

    @property
    def urls(self) -> list[str]:
        """Each server's URL. Raises SourceError for what is none."""
        return [_checked(url.strip()) for url in self.url.split(",")]

    @property
    def place(self) -> str:
        """The servers without a password that may stand in a URL."""
        return ", ".join(urlsplit(url).netloc.rpartition("@")[2] for url in self.urls)


class _Transport(TcpTransport):
    """The client's, but it does not wait for ever for the end of what was to become TLS and did not.

    And it says who it is and asks the first question in one breath: a server that refuses the first closes at once, and
    its reason would be lost with the connection if the second were still to be sent.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._introduction = b""

    def __bool__(self) -> bool:
        return True  # else the client makes one of its own

    def write(self, payload: bytes) -> None:
        if payload.startswith(_CONNECT):
            self._introduction = payload
            return
        first, self._introduction = self._introduction, b""
        super().write(first + payload)  # type: ignore[no-untyped-call]

    async def wait_closed(self) -> None:
        with suppress(TimeoutError):
            async with timeout(_CLOSE_SECONDS):
                await super().wait_closed()  # type: ignore[no-untyped-call]


class Connection(Client):
    """nats-py's client, with two things it does not do.

    It gives header lines as a dict: two of one name become one, spaces are lost, and it takes longer than all the rest.
    An auditor wants every byte, so messages for a `Listener` come with the header block as the server sent it. And a
    refused question is only an error beside the connection: here it ends the wait for that question's answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._transport = _Transport()
        self._listeners: dict[int, Listener] = {}
        self._waiting: dict[str, set[Future[Any]]] = {}
        self.trouble: Exception | None = None
        """The last thing that went wrong."""

    async def listen(self, inbox: str, listener: Listener) -> Subscription:
        """Hand every message on `inbox` to `listener`, until `deafen`."""
        subscription = await self.subscribe(inbox, cb=_unheard)
        self._listeners[subscription._id] = listener
        return subscription

    async def deafen(self, subscription: Subscription) -> None:
        """End what `listen` began."""
        self._listeners.pop(subscription._id, None)
        if self.is_connected:
            await subscription.unsubscribe()

    @contextmanager
    def asking(self, subject: str, answer: "Future[Any]") -> Iterator[None]:
        """Within, `answer` fails with NotAllowed when the server refuses `subject`."""
        waiting = self._waiting.setdefault(subject.lower(), set())
        waiting.add(answer)
        try:
            yield
        finally:
            waiting.discard(answer)

    async def ask(self, subject: str, question: object = None) -> dict[str, Any]:
        """One question to JetStream, its answer as JSON. Raises NotAllowed, or SourceError when none comes."""
        refused: Future[None] = get_running_loop().create_future()
        body = b"" if question is None else json.dumps(question).encode()
        answer = ensure_future(self.request(subject, body, timeout=ANSWER_SECONDS))
        try:
            with self.asking(subject, refused):
                await wait((answer, refused), return_when=FIRST_COMPLETED)
            if refused.done():
                refused.result()
            found: dict[str, Any] = json.loads((await answer).data)
        except nats.errors.NoRespondersError:
            raise SourceError("the server has no JetStream for this identity") from None
        except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
            raise SourceError(
                f"the server gave no answer to {subject}: {error or type(error).__name__}"
            ) from error
        finally:
            answer.cancel()
            refused.cancel()
        return found

    async def publish_as_is(self, subject: str, reply: str, head: bytes, body: bytes) -> None:
        """Publish with header lines as they are, where `publish` would write them in a form of its own."""
        block = b"NATS/1.0\r\n" + head + b"\r\n"
        command = hpub_cmd(subject, reply, block, body) if head else pub_cmd(subject, reply, body)
        if self.is_closed:
            raise Interrupted("the connection to NATS was lost")
        await self._send_command(command)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    def fail(self, error: SourceError, *, about: str = "") -> None:
        """End the waits for answers to the subjects that `about` names in quotes, or to ANY; empty: all."""
        for subject, waiting in self._waiting.items():
            if not about or subject == ANY or f'"{subject}"' in about:
                for answer in waiting:
                    if not answer.done():
                        answer.set_exception(error)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        listener = self._listeners.get(sid)
        if listener is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            listener(
                subject.decode(), headers or b"", data
            )  # None without headers, whatever the client's types say


async def connect(server: Server) -> Connection:
    """Connect, or raise SourceError within seconds."""
    connection = Connection()

    async def trouble(problem: Exception) -> None:
        connection.trouble = problem
        words = str(problem)
        # The protocol tells refusals in words alone; the client puts them into small letters.
        if PERMISSIONS_ERR in words:
            about = "" if "subscription" in words else words
            connection.fail(NotAllowed(f"the server refuses this identity, {words}"), about=about)

    async def lost() -> None:
        connection.fail(Interrupted("the connection to NATS was lost"))

    options = _identity(server) | {
        "name": "telecine-audit",
        "error_cb": trouble,
        "disconnected_cb": lost,
        "closed_cb": lost,
        "connect_timeout": _CONNECT_SECONDS,
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": _WAIT_SECONDS,
        "inbox_prefix": server.inbox or INBOX_PREFIX,
    }
    try:
        await connection.connect(servers=server.urls, **options)
    except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
        await connection.close()
        reason = connection.trouble or error
        raise SourceError(
            f"no connection to NATS at {server.place}: {reason or type(reason).__name__}"
        ) from error
    # The client has no options of their own for the first time and for coming back.
    connection.options |= {"allow_reconnect": True, "max_reconnect_attempts": _ATTEMPTS_TO_COME_BACK}
    return connection


def _checked(url: str) -> str:
    whole = url if "://" in url else f"nats://{url}"
    try:
        parts = urlsplit(whole)
        if parts.scheme in _SCHEMES and parts.hostname and parts.port != 0:
            return whole
    except ValueError:
        pass
    raise SourceError("--nats is no URL of a NATS server, such as nats://127.0.0.1:4222")


def _identity(server: Server) -> dict[str, Any]:
    """How the client shows who it is. Raises SourceError for a file that can't be read."""
    shown: dict[str, Any] = {}
    if server.nkey_seed:
        shown["nkeys_seed_str"] = _seed(server.nkey_seed)
    if server.creds:
        _secret(server.creds)
        shown["user_credentials"] = str(server.creds)
    if server.user:
        shown["user"] = server.user
    if server.password_file:
        shown["password"] = _secret(server.password_file)
    if server.tls_ca:
        _secret(server.tls_ca)
        # From the first byte on (`handshake_first` at the server): nobody between can say that the server has no TLS.
        shown |= {"tls": ssl.create_default_context(cafile=server.tls_ca), "tls_handshake_first": True}
    return shown


def _seed(path: Path) -> str:
    seed = _secret(path)
    try:
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except (nkeys.NkeysError, ValueError):
        raise SourceError(f"the file {path} holds no nkey seed, one line that begins with SU") from None
    return seed


def _secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SourceError(f"the file {path} can't be read: {type(error).__name__}") from error


async def _unheard(message: Msg) -> None:
    """What a listener listens to never comes here; a client that works otherwise must not pass for an empty stream."""
    raise AssertionError(f"this version of nats-py hands messages out in another way: {message.subject}")
