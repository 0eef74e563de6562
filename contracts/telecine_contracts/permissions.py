"""NATS permissions as data: one identity for each service, the provisioner, the operator, the eraser and the auditor.

Derived from the events' `written_by`, the streams and the consumers. Only the provisioner creates or alters streams and
creates, alters or deletes consumers. No identity may delete or purge a stream; the eraser deletes single messages.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .access import ApiKeyRevoked
from .catalog import EVENTS
from .commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    LedgerCommand,
    ReopenAccount,
    SetSpendLimits,
    SkipMessage,
)
from .price_catalog import PricesPublished
from .streams import (
    ACCESS,
    CATALOG,
    CHECKPOINTS,
    CONSUMERS,
    DEADLETTERS,
    LEDGER,
    QUEUE,
    STORAGE_ERASE,
    STREAMS,
    TIMERS,
    VIDEO,
    Consumer,
    Stream,
)
from .subjects import PREFIX, of_type, stored, token

__all__ = [
    "AUDITOR",
    "ERASER",
    "IDENTITIES",
    "OPERATOR",
    "PROVISIONER",
    "SERVER_HEALTH",
    "SERVER_STATE",
    "SERVICES",
    "SUBSCRIBED",
    "Rights",
    "rights",
    "subscriber",
]

SERVICES = ("gateway", "credits", "generation", "storage")
PROVISIONER = "provisioner"
"""Creates and alters streams and durable consumers, and publishes the first price table; reads no other events. It may
change a stream's limits, and so make LEDGER drop entries: only `telecine provision` and `telecine subscribers` use
it."""
OPERATOR = "operator"
"""Creates API keys, grants credits, publishes prices, reads every stream, replays dead letters."""
ERASER = "eraser"
"""Erases accounts: closes them, revokes their keys, and deletes their messages one by one. The server cannot limit the
deletion to an account: only `telecine accounts erase` uses it."""
AUDITOR = "auditor"
"""Reads LEDGER, VIDEO, CHECKPOINTS, CATALOG and QUEUE."""
IDENTITIES = (*SERVICES, PROVISIONER, OPERATOR, ERASER, AUDITOR)

_READS: dict[str, tuple[Stream, ...]] = {
    "gateway": (VIDEO, LEDGER, ACCESS, CATALOG, QUEUE),
    "credits": (LEDGER, CHECKPOINTS),
    "generation": (VIDEO, QUEUE),
    "storage": (VIDEO,),
    OPERATOR: (VIDEO, LEDGER, ACCESS, CHECKPOINTS, CATALOG, QUEUE),
}
"""Streams that an identity reads."""
_ERASED = (VIDEO, TIMERS, DEADLETTERS)
"""Streams with messages of an account that the eraser deletes."""
_CONSUMED = (VIDEO, LEDGER, QUEUE, TIMERS)
"""Streams with durable consumers."""
SUBSCRIBED = (VIDEO, LEDGER)
"""Streams that other teams' programs may have a consumer on."""
_FIRES = {"gateway": ("timers.due.generation.wake.*.*",)}
"""Timers of another service that an identity may make due: the gateway, on a callback of the provider."""
SERVER_HEALTH = "$SYS.REQ.SERVER.PING.HEALTHZ"
"""Each server replies with the health of JetStream and its streams, and whether they can be written."""
SERVER_STATE = "$SYS.REQ.SERVER.PING.STATSZ"
"""Each server replies with statistics, among them the used and allowed bytes of its streams."""
_INFO = "$JS.API.INFO"
"""Needed by every identity: an account that does not import it gets the server's own reply, without JetStream."""
_LEDGER_COMMANDS: tuple[type[LedgerCommand], ...] = (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    ReopenAccount,
    SetSpendLimits,
)
_COMMANDS = tuple(command.subject for command in _LEDGER_COMMANDS)
_COMMANDERS = ("gateway", OPERATOR)
_REPAIRS = (SkipMessage.subject,)
"""Commands that only the operator may send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """All permissions of one identity. Everything else is denied.

    `tells`: subjects it may publish to that get one reply or none, JetStream API requests included. `asks`: those that
    get many replies. `hears`: announcements that it may subscribe to; they contain the messages of streams that it
    reads. `commands`: requests that it may send to the identity that `serves` them. `server`: requests to the servers
    themselves. `inbox`: prefix of its reply subjects.
    """

    identity: str
    tells: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    inbox: str

    @property
    def publish(self) -> tuple[str, ...]:
        """All subjects for publishing. An identity that serves requests may also publish their replies."""
        return (*self.tells, *self.asks, *self.commands, *self.server)

    @property
    def subscribe(self) -> tuple[str, ...]:
        """All subjects for subscribing."""
        return (f"{self.inbox}.>", *self.hears, *self.serves)


def rights(identity: str) -> Rights:
    """Permissions of `identity`, one of IDENTITIES. Raises LookupError for another."""
    if identity in SERVICES:
        return _service(identity)
    if identity == PROVISIONER:
        return _provisioner()
    if identity == OPERATOR:
        return _operator()
    if identity == ERASER:
        return _eraser()
    if identity == AUDITOR:
        return _auditor()
    raise LookupError(f"no identity is called {identity}")


def subscriber(name: str) -> Rights:
    """Permissions of another team's program: fetch from the durable consumer `name` of VIDEO or LEDGER.

    The provisioner creates that consumer, on one of them or on both. Raises BadToken, or ValueError for a name in use.
    """
    if name in IDENTITIES or name in {consumer.name for consumer in CONSUMERS}:
        raise ValueError(f"{name} is the name of a service or consumer of telecine: choose another")
    own = [(stream.name, token(name)) for stream in SUBSCRIBED]
    return Rights(
        identity=name,
        tells=(_INFO, *(subject for stream, consumer in own for subject in _takes(stream, consumer))),
        asks=tuple(_next(stream, consumer) for stream, consumer in own),
        inbox=f"_INBOX.{name}",
    )


def _service(name: str) -> Rights:
    consumers = [consumer for consumer in CONSUMERS if consumer.service == name]
    read = _READS[name]
    replayed = {consumer.stream for consumer in consumers} - {TIMERS.name} - {stream.name for stream in read}
    return Rights(
        identity=name,
        tells=(
            _INFO,
            *_written(name),
            *_timers(name, consumers),
            *_FIRES.get(name, ()),
            f"deadletters.{name}.>",
            f"$JS.API.STREAM.INFO.{DEADLETTERS.name}",
            f"$JS.API.STREAM.INFO.{TIMERS.name}",
            *(subject for consumer in consumers for subject in _takes(consumer.stream, consumer.name)),
            *(subject for stream in read for subject in _looks(stream)),
            *(f"$JS.API.STREAM.MSG.GET.{stream}" for stream in sorted(replayed)),
        ),
        asks=(
            *(_next(consumer.stream, consumer.name) for consumer in consumers),
            *(_pages(stream) for stream in read),
        ),
        hears=tuple(_stored(stream) for stream in read),
        commands=_COMMANDS if name in _COMMANDERS else (),
        serves=(*_COMMANDS, *_REPAIRS) if name == "credits" else (),
        server=(SERVER_HEALTH, SERVER_STATE) if name == "credits" else (SERVER_HEALTH,),
        inbox=f"_INBOX.{name}",
    )


def _provisioner() -> Rights:
    return Rights(
        identity=PROVISIONER,
        tells=(
            _INFO,
            *(
                f"$JS.API.STREAM.{action}.{stream.name}"
                for stream in STREAMS
                for action in ("INFO", "CREATE", "UPDATE")
            ),
            *(
                f"$JS.API.CONSUMER.{action}.{stream.name}.*"
                for stream in _CONSUMED
                for action in ("INFO", "DURABLE.CREATE")
            ),
            *(f"$JS.API.CONSUMER.LIST.{stream.name}" for stream in SUBSCRIBED),
            *(f"$JS.API.CONSUMER.DELETE.{stream.name}.*" for stream in SUBSCRIBED),
            of_type(PricesPublished),
            f"$JS.API.STREAM.MSG.GET.{CATALOG.name}",
        ),
        asks=(_pages(CATALOG),),
        inbox=f"_INBOX.{PROVISIONER}",
    )


def _operator() -> Rights:
    read = _READS[OPERATOR]
    return Rights(
        identity=OPERATOR,
        tells=(
            _INFO,
            *_written(OPERATOR),
            *(_dues(consumer.service) for consumer in CONSUMERS if consumer.stream == TIMERS.name),
            "deadletters.*.>",
            *(f"$JS.API.STREAM.INFO.{stream.name}" for stream in STREAMS),
            *(f"$JS.API.STREAM.MSG.GET.{stream.name}" for stream in (*read, DEADLETTERS)),
            f"$JS.API.STREAM.MSG.DELETE.{DEADLETTERS.name}",
            *(f"$JS.API.CONSUMER.INFO.{stream.name}.*" for stream in _CONSUMED),
            *(f"$JS.API.CONSUMER.LIST.{stream.name}" for stream in SUBSCRIBED),
        ),
        asks=tuple(_pages(stream) for stream in read),
        hears=tuple(_stored(stream) for stream in read),
        commands=(*_COMMANDS, *_REPAIRS),
        inbox=f"_INBOX.{OPERATOR}",
    )


def _eraser() -> Rights:
    read = (VIDEO, LEDGER, ACCESS)
    return Rights(
        identity=ERASER,
        tells=(
            _INFO,
            *_written(ERASER),
            of_type(ApiKeyRevoked),
            *(subject for stream in (*read, TIMERS, DEADLETTERS) for subject in _looks(stream)),
            *(f"$JS.API.STREAM.MSG.DELETE.{stream.name}" for stream in _ERASED),
            f"$JS.API.CONSUMER.INFO.{STORAGE_ERASE.stream}.{STORAGE_ERASE.name}",
        ),
        asks=tuple(_pages(stream) for stream in read),
        commands=(CloseAccount.subject,),
        inbox=f"_INBOX.{ERASER}",
    )


def _auditor() -> Rights:
    read = (LEDGER, VIDEO, CHECKPOINTS, CATALOG, QUEUE)
    return Rights(
        identity=AUDITOR,
        tells=(_INFO, *(subject for stream in read for subject in _looks(stream))),
        asks=tuple(_pages(stream) for stream in read),
        inbox=f"_INBOX_{AUDITOR}",
    )


def _written(identity: str) -> Iterable[str]:
    """The subjects of the events that only this identity writes."""
    return dict.fromkeys(of_type(event) for event in EVENTS if event.written_by == identity)


def _timers(service: str, consumers: Iterable[Consumer]) -> tuple[str, ...]:
    """Setting its own timers and reading them one by one; timers of other services are not readable."""
    if not any(consumer.stream == TIMERS.name for consumer in consumers):
        return ()
    own = f"timers.at.{service}.>"
    return own, f"$JS.API.DIRECT.GET.{TIMERS.name}.{own}"


def _dues(service: str) -> str:
    """Due timers of a service: the operator replays a dead letter as a due timer."""
    return f"timers.due.{service}.>"


def _looks(stream: Stream) -> tuple[str, str]:
    return f"$JS.API.STREAM.INFO.{stream.name}", f"$JS.API.STREAM.MSG.GET.{stream.name}"


def _pages(stream: Stream) -> str:
    return f"$JS.API.DIRECT.GET.{stream.name}"


def _takes(stream: str, consumer: str) -> tuple[str, str]:
    return f"$JS.API.CONSUMER.INFO.{stream}.{consumer}", f"$JS.ACK.{stream}.{consumer}.>"


def _next(stream: str, consumer: str) -> str:
    return f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"


def _stored(stream: Stream) -> str:
    return stored(f"{PREFIX[stream.name]}.>")
