"""Decoding of stored messages into events."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from telecine_contracts import BadEnvelope, BadEvent, Envelope, Event, Registry, UnknownEvent
from telecine_contracts.subjects import BadToken, of_event
from telecine_jetstream.messages import HeaderLines, StoredMessage

from .port import RecordedEvent, UndecodedEvent

__all__ = ["decode", "decode_or_undecoded"]


def decode(record: StoredMessage, registry: Registry) -> RecordedEvent:
    """The event in a record. Raises BadEnvelope, BadEvent or UnknownEvent, with the record's place as a note."""
    try:
        envelope = _envelope(record.headers)
        event = registry.decode(envelope.type, record.body)
        # Permissions are granted by subject: an event on the subject of another could come from a service that may
        # not write it.
        if not _is_on_own_subject(event, record.subject):
            raise BadEnvelope(f"{envelope.type} does not belong on subject {record.subject}")
        return RecordedEvent(event, envelope, record.sequence)
    except (BadEnvelope, BadEvent, UnknownEvent) as error:
        error.add_note(f"message {record.sequence} on {record.subject}")
        raise


def decode_or_undecoded(record: StoredMessage, registry: Registry) -> RecordedEvent:
    """Like `decode`, but a message that cannot be decoded comes as UndecodedEvent, with an envelope if it has one."""
    try:
        return decode(record, registry)
    except (BadEnvelope, BadEvent, UnknownEvent) as error:
        name = record.headers.get("ce-type", "")
        digest = hashlib.sha256(record.body).hexdigest()
        unread = UndecodedEvent(name=name, subject=record.subject, error=error, sha256=digest)
        try:
            envelope = Envelope.from_headers(record.headers)
        except BadEnvelope:
            envelope = _NO_ENVELOPE
        return RecordedEvent(unread, envelope, record.sequence)


_NO_ENVELOPE = Envelope(
    id="", source="", type="", time=datetime.min.replace(tzinfo=UTC), subject="", correlation="", causation=""
)


def _envelope(headers: Mapping[str, str]) -> Envelope:
    found = Envelope.from_lines(headers.lines) if type(headers) is HeaderLines else None
    return found or Envelope.from_headers(headers)


def _is_on_own_subject(event: Event, subject: str) -> bool:
    try:
        return of_event(event) == subject
    except BadToken:
        return False
