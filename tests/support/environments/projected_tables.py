"""A service's tables as its own projection fills them from entries, without the service running."""

from collections.abc import Sequence
from types import ModuleType

from telecine_auditor.sources.message import StoredMessage
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.session import position_table, write_session
from telecine_chassis.projections.slots import Slots
from telecine_contracts import Envelope, registry

__all__ = ["project_entries"]


def project_entries(
    url: str, projections: ModuleType, entries: Sequence[StoredMessage], *, slot: int = 1
) -> None:
    """Apply the entries of LEDGER; `projections`: the service's module of that name."""
    slots = Slots(url, projections.METADATA, projections.VERSION)
    if slot != slots.live():
        slots.promote(slot)
    engine = slots.open(slot)
    apply = next(known.apply for known in projections.PROJECTIONS if known.stream.name == "LEDGER")
    with write_session(engine) as session:
        for entry in entries:
            apply(session, _recorded(entry))
        table = position_table(projections.METADATA)
        session.execute(table.insert().values(projection="ledger", sequence=len(entries)))
        session.commit()
    engine.dispose()


def _recorded(entry: StoredMessage) -> RecordedEvent:
    headers = dict(line.split(": ", 1) for line in entry.head.decode().split("\r\n") if line)
    envelope = Envelope.from_headers(headers)
    return RecordedEvent(registry().decode(envelope.type, entry.body), envelope, entry.sequence)
