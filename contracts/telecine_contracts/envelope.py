"""The envelope: metadata of an event, sent in message headers.

Attribute names are those of CloudEvents 1.0 (NATS binding, binary mode: ``ce-`` prefix). Values are
percent-encoded: header values must be printable ASCII, and CloudEvents encodes spaces, quotes and percent signs too.
The body of the message is the event alone, as JSON.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Self
from urllib.parse import quote, unquote
from uuid import UUID, uuid5

MSG_ID = "Nats-Msg-Id"
_NAMESPACE = UUID("6f0d5b8e-6f0b-5d0c-9a53-7e1ec19e0001")
_PLAIN = r"([!-$&-~]+)"
"""A value of which nothing is percent-encoded."""
_LINES = re.compile(
    rf"Nats-Msg-Id: [!-~]*\r\nce-specversion: [!-~]*\r\nce-id: {_PLAIN}\r\nce-source: {_PLAIN}\r\n"
    rf"ce-type: {_PLAIN}\r\nce-time: {_PLAIN}\r\nce-subject: {_PLAIN}\r\nce-correlation: {_PLAIN}\r\n"
    rf"ce-causation: {_PLAIN}\r\ncontent-type: [!-~]*\r\n(?:traceparent: {_PLAIN}\r\n)?"
    rf"(?:ce-informational: {_PLAIN}\r\n)?(?:Nats-[A-Za-z-]+: [!-~]*\r\n)*"
)
_OPTIONAL = ("ce-subject", "ce-correlation", "ce-causation", "traceparent", "ce-informational")
_UNQUOTED = re.compile(r"[!#$&-\[\]-~]*")
"""Values that percent-encoding does not change."""
_SAFE = "!#$&'()*+,/:;<=>?@[]^`{|}~"


class BadEnvelope(ValueError):
    """A message whose headers are not an event's; names the header that is missing or unreadable."""


def derive_id(cause: str, name: str) -> str:
    """The id of what follows from `cause` under `name`: deterministic, so that a repeated step gives the same id."""
    return str(uuid5(_NAMESPACE, f"{cause}\n{name}"))


def _encoded(value: str) -> str:
    return value if _UNQUOTED.fullmatch(value) else quote(value, safe=_SAFE)


def _decoded(value: str) -> str:
    return unquote(value) if "%" in value else value


@lru_cache(maxsize=256)
def _by_lower_name(names: tuple[str, ...]) -> dict[str, str]:
    """Names may be in any case. Most messages have the same few combinations."""
    return {name.lower(): name for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Source, time and causes of an event.

    `correlation` is the same for everything that follows from one request; `causation` is the id of the event
    (or request) that caused this one; `traceparent` is a W3C trace context, or None. `informational`: no decision is
    based on the event, so that readers that do not know its type may ignore it.
    """

    id: str
    source: str
    type: str
    time: datetime
    subject: str
    correlation: str
    causation: str
    traceparent: str | None = None
    informational: bool = False

    def to_headers(self) -> dict[str, str]:
        """NATS headers, including the message id for deduplication."""
        headers = {
            MSG_ID: self.id,
            "ce-specversion": "1.0",
            "ce-id": self.id,
            "ce-source": self.source,
            "ce-type": self.type,
            "ce-time": self.time.isoformat(),
            "ce-subject": self.subject,
            "ce-correlation": self.correlation,
            "ce-causation": self.causation,
            "content-type": "application/json",
        }
        if self.traceparent:
            headers["traceparent"] = self.traceparent
        if self.informational:
            headers["ce-informational"] = "true"
        return {name: quote(value, safe=_SAFE) for name, value in headers.items()}

    def to_lines(self) -> bytes:
        """The headers of `to_headers` as lines on the wire, each ending with CR LF."""
        id, encoded = _encoded(self.id), _encoded
        lines = (
            f"{MSG_ID}: {id}\r\nce-specversion: 1.0\r\nce-id: {id}\r\nce-source: {encoded(self.source)}\r\n"
            f"ce-type: {encoded(self.type)}\r\nce-time: {self.time.isoformat()}\r\n"
            f"ce-subject: {encoded(self.subject)}\r\nce-correlation: {encoded(self.correlation)}\r\n"
            f"ce-causation: {encoded(self.causation)}\r\ncontent-type: application/json\r\n"
        )
        if self.traceparent:
            lines += f"traceparent: {encoded(self.traceparent)}\r\n"
        if self.informational:
            lines += "ce-informational: true\r\n"
        return lines.encode()

    @classmethod
    def from_lines(cls, lines: bytes) -> Self | None:
        """Parse header lines as `to_headers` writes them; None for lines in any other form: parse these one by one."""
        found = _LINES.fullmatch(lines.decode("ascii", "replace"))
        if found is None:
            return None
        id, source, type, at, subject, correlation, causation, traceparent, informational = found.groups()
        try:
            time = datetime.fromisoformat(at)
        except ValueError:
            return None
        if time.tzinfo is None:
            return None
        return cls(
            id=id,
            source=source,
            type=type,
            time=time,
            subject=subject,
            correlation=correlation,
            causation=causation,
            traceparent=traceparent,
            informational=informational == "true",
        )

    @classmethod
    def from_headers(cls, headers: Mapping[str, str] | None) -> Self:
        """Parse headers.

        Raises BadEnvelope if a required attribute is missing or the time is invalid or has no zone.
        """
        values, names = headers or {}, _by_lower_name(tuple(headers or ()))
        try:
            id = _decoded(values[names["ce-id"]])
            time = datetime.fromisoformat(_decoded(values[names["ce-time"]]))
            found = {name: _decoded(values[names[name]]) for name in _OPTIONAL if name in names}
            envelope = cls(
                id=id,
                source=_decoded(values[names["ce-source"]]),
                type=_decoded(values[names["ce-type"]]),
                time=time,
                subject=found.get("ce-subject", ""),
                correlation=found.get("ce-correlation", id),
                causation=found.get("ce-causation", id),
                traceparent=found.get("traceparent"),
                informational=found.get("ce-informational") == "true",
            )
        except KeyError as missing:
            raise BadEnvelope(f"header {missing.args[0]} is missing") from None
        except ValueError:
            raise BadEnvelope("header ce-time is not an RFC 3339 time") from None
        if time.tzinfo is None:
            raise BadEnvelope("header ce-time has no time zone")
        return envelope
