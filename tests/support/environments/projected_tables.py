"""A service's tables as its own projection fills them from entries, without the service running."""

from collections.abc import Sequence
from types import ModuleType

from sqlalchemy import Engine

from telecine_auditor.sources.message import StoredMessage
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rows import RowCache, Rows
from telecine_chassis.projections.session import position_table
from telecine_chassis.projections.slots import Slots
from telecine_contracts import Envelope, registry

__all__ = ["apply_events", "project_entries"]


def project_entries(
    url: str, projections: ModuleType, entries: Sequence[StoredMessage], *, slot: int = 1
) -> None:
    """Apply the entries of LEDGER; `projections`: the service's module of that name."""
    slots = Slots(url, projections.METADATA, projections.VERSION)
    if slot != slots.live():
        slots.promote(slot)
    engine = slots.open(slot)
    projection = next(known for known in projections.PROJECTIONS if known.stream.name == "LEDGER")
    apply_events(engine, projection, [_recorded(entry) for entry in entries])
    table = position_table(projections.METADATA)
    with engine.begin() as connection:
        connection.execute(table.insert().values(projection="ledger", sequence=len(entries)))
    engine.dispose()


def apply_events(engine: Engine, projection: Projection, events: Sequence[RecordedEvent]) -> None:
    """Apply events to the tables of a projection in one transaction."""
    with engine.begin() as connection:
        projection.apply_all(Rows(RowCache(engine), connection), events)


def _recorded(entry: StoredMessage) -> RecordedEvent:
    headers = dict(line.split(": ", 1) for line in entry.head.decode().split("\r\n") if line)
    envelope = Envelope.from_headers(headers)
    return RecordedEvent(registry().decode(envelope.type, entry.body), envelope, entry.sequence)
