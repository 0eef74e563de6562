"""Builds and parses all subjects.

``video.<account>.<generation>.<action>`` · ``video.<account>.account.erased`` · ``ledger.<account>.<action>`` ·
``access.<account>.<action>`` · ``checkpoints.<log>.<action>`` · ``catalog.<catalog>.<action>`` ·
``queue.<model>.<action>`` · ``timers.at|due.<service>.<kind>.<key…>`` ·
``deadletters.<service>.<consumer>.<message…>`` · ``stored.<subject>``: notification of a stored message
"""

import re
from functools import cache

from .message import Event

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
PREFIX = {
    "VIDEO": "video",
    "LEDGER": "ledger",
    "ACCESS": "access",
    "CHECKPOINTS": "checkpoints",
    "CATALOG": "catalog",
    "QUEUE": "queue",
}


_NAMES = {"CHECKPOINTS": ("{log}",), "CATALOG": ("{catalog}",), "QUEUE": ("{model}",)}
ACCOUNT = "account"
"""Takes the place of the generation in the subject of an event about an account. No generation has this id."""
RESOLVED = "resolved"
"""Replaces the service in the subject of a dead letter that was replayed or dismissed."""


class BadToken(ValueError):
    """A name that is not a valid subject token."""


def token(value: str) -> str:
    """`value`, if it is a valid subject token: 1-64 of A-Z a-z 0-9 _ and -. Raises BadToken otherwise.

    A wildcard, a dot or a space in a name would make the subject of one account match that of another.
    """
    if not TOKEN.fullmatch(value):
        raise BadToken(f"{value[:80]!r} is not a name: use 1 to 64 letters, digits, '_' or '-'")
    return value


def stream_of(subject: str) -> str:
    """The stream that stores `subject`, which may be a filter. Raises BadToken if no stream has its prefix."""
    prefix = subject.partition(".")[0]
    for stream, known in PREFIX.items():
        if known == prefix:
            return stream
    raise BadToken(f"no event stream has the prefix {prefix!r}")


def of_event(event: Event) -> str:
    """The subject on which `event` is published."""
    return ".".join([PREFIX[event.stream], *map(token, event.aggregate), event.action])


def of_type(event: type[Event]) -> str:
    """The subject filter of all events of one type."""
    return ".".join([PREFIX[event.stream], *_ids(event, "*", "*"), event.action])


@cache
def template(event: type[Event]) -> str:
    """The subject of every event of one type, with names for its ids: ``video.{account}.{generation}.requested``.

    For names of spans, metrics and channels, whose number must not grow with the number of accounts.
    """
    names = _NAMES.get(event.stream, ("{account}", "{generation}"))
    return ".".join([PREFIX[event.stream], *_ids(event, *names), event.action])


def _ids(event: type[Event], first: str, second: str = "") -> list[str]:
    """The tokens between the prefix and the action, with `first` and `second` in place of ids."""
    if event.stream != "VIDEO":
        return [first]
    return [first, ACCOUNT if event.about_account else second]


def video(account: str, generation: str) -> str:
    """The filter of one generation: its version is the last sequence on it."""
    return f"video.{token(account)}.{token(generation)}.*"


def account_videos(account: str) -> str:
    """The filter of everything that VIDEO has of one account."""
    return f"video.{token(account)}.*.*"


def ledger(account: str) -> str:
    """The filter of one account's ledger: its version is the last sequence on it."""
    return f"ledger.{token(account)}.*"


def access(account: str) -> str:
    """The filter of one account's API keys."""
    return f"access.{token(account)}.*"


def checkpoints(log: str) -> str:
    """The filter of one log's checkpoints."""
    return f"checkpoints.{token(log)}.*"


def catalog(name: str) -> str:
    """The filter of one catalog: ``prices`` is the only one."""
    return f"catalog.{token(name)}.*"


def queue(model: str) -> str:
    """The filter of one model's dispatch queue."""
    return f"queue.{token(model)}.*"


def timer_at(service: str, kind: str, *key: str) -> str:
    """Subject of a timer until it is due; publishing to it again moves the timer."""
    return ".".join(["timers", "at", token(service), token(kind), *map(token, key)])


def timer_due(service: str, kind: str, *key: str) -> str:
    """Subject on which a timer is delivered when it is due."""
    return ".".join(["timers", "due", token(service), token(kind), *map(token, key)])


def dead_letter(service: str, consumer: str, *place: str) -> str:
    """Subject of a message that `consumer` could not handle; `place` identifies the message.

    RESOLVED in place of a service: letters that an operator has replayed or dismissed.
    """
    return ".".join(["deadletters", token(service), token(consumer), *map(token, place)])


def stored(subject: str) -> str:
    """Subject of the notification that a message was stored on `subject`, which may be a filter."""
    return f"stored.{subject}"
