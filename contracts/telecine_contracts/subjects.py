"""Every subject is built and read here, and nowhere else.

``video.<account>.<generation>.<action>`` · ``ledger.<account>.<action>`` · ``access.<account>.<action>`` ·
``checkpoints.<log>.<action>`` · ``timers.at|due.<service>.<kind>.<key…>`` ·
``deadletters.<service>.<consumer>.<message…>`` · ``stored.<subject>``: that a message has been stored there
"""

import re

from .message import Event

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
PREFIX = {"VIDEO": "video", "LEDGER": "ledger", "ACCESS": "access", "CHECKPOINTS": "checkpoints"}


RESOLVED = "resolved"
"""Stands where the service would in the subject of a dead letter that needs no attention any more."""


class BadToken(ValueError):
    """A name that may not stand in a subject."""


def token(value: str) -> str:
    """`value`, if it may stand in a subject: 1-64 of A-Z a-z 0-9 _ and -.

    A wildcard, a dot or a space in a name would make one account's subject match another's.
    Raises BadToken otherwise.
    """
    if not TOKEN.fullmatch(value):
        raise BadToken(f"{value[:80]!r} is not a name: use 1 to 64 letters, digits, '_' or '-'")
    return value


def stream_of(subject: str) -> str:
    """The stream that keeps `subject` or everything that a filter selects.

    Raises BadToken when the first token is no stream's prefix.
    """
    prefix = subject.partition(".")[0]
    for stream, known in PREFIX.items():
        if known == prefix:
            return stream
    raise BadToken(f"no event stream keeps {prefix!r}")


def of_event(event: Event) -> str:
    """The subject on which `event` is published."""
    return ".".join([PREFIX[event.stream], *map(token, event.aggregate), event.action])


def of_type(event: type[Event]) -> str:
    """The subject filter that selects every event of one type, whatever it is about."""
    wildcards = 2 if event.stream == "VIDEO" else 1
    return ".".join([PREFIX[event.stream], *["*"] * wildcards, event.action])


def template(event: type[Event]) -> str:
    """The subject of every event of one type, with names for its ids: ``video.{account}.{generation}.requested``.

    For whatever is named after a subject and must not grow with the number of accounts: spans, metrics, channels.
    """
    names = ["{log}"] if event.stream == "CHECKPOINTS" else ["{account}", "{generation}"]
    return ".".join([PREFIX[event.stream], *names[: of_type(event).count("*")], event.action])


def video(account: str, generation: str) -> str:
    """The filter of one generation: its version is the last sequence on it."""
    return f"video.{token(account)}.{token(generation)}.*"


def ledger(account: str) -> str:
    """The filter of one account's ledger: its version is the last sequence on it."""
    return f"ledger.{token(account)}.*"


def access(account: str) -> str:
    """The filter of one account's API keys."""
    return f"access.{token(account)}.*"


def checkpoints(log: str) -> str:
    """The filter of one log's checkpoints."""
    return f"checkpoints.{token(log)}.*"


def timer_at(service: str, kind: str, *key: str) -> str:
    """Where a timer is kept until it is due; writing to it again moves the timer."""
    return ".".join(["timers", "at", token(service), token(kind), *map(token, key)])


def timer_due(service: str, kind: str, *key: str) -> str:
    """Where a timer arrives when it is due."""
    return ".".join(["timers", "due", token(service), token(kind), *map(token, key)])


def dead_letter(service: str, consumer: str, *place: str) -> str:
    """Where a message goes that `consumer` could not take; `place` tells it from the consumer's others.

    Under RESOLVED in place of a service: what an operator has replayed or dismissed.
    """
    return ".".join(["deadletters", token(service), token(consumer), *map(token, place)])


def stored(subject: str) -> str:
    """Where it is announced that a message was stored on `subject`; takes a filter, too."""
    return f"stored.{subject}"
