"""Reads a generation as of now: the row of the tables, with the events of the streams that it does not have yet.

A finished generation is read from the tables alone. For one that is running, the stream is read as well, so that no
response is older than an earlier one, even from another gateway.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from telecine_chassis.eventstore.port import EventStore, RecordedEvent, UndecodedEvent
from telecine_contracts import subjects
from telecine_contracts.credits import DenialReason, LedgerEvent
from telecine_gateway.read_model.charges import Charge, apply_to_charge
from telecine_gateway.read_model.generations import ENDED, apply_event
from telecine_gateway.read_model.queries import Queries
from telecine_gateway.read_model.tables import GenerationRow, LedgerEntry, VideoEvent
from telecine_gateway.read_model.timeline import merge_ordered, timeline_event

from .denials import describe_denial

__all__ = ["GenerationReader", "GenerationState", "generation_status"]


@dataclass(frozen=True, slots=True)
class GenerationState:
    """A generation and how it is paid for."""

    row: GenerationRow
    charge: Charge | None

    @property
    def status(self) -> str:
        return generation_status(self.row, self.charge)

    @property
    def error(self) -> str | None:
        """Why it failed, for the user."""
        if self._denial is not None:
            return describe_denial(self._denial)
        return self.row.error

    @property
    def error_code(self) -> str | None:
        """Why it failed, from a closed list, for programs."""
        if self._denial is not None:
            return self._denial.reason
        return self.row.error_code if self.status == "failed" else None

    @property
    def _denial(self) -> Charge | None:
        """The denied charge, if it is why the generation failed: the generation may have ended before."""
        charge = self.charge
        if self.status != "failed" or charge is None or charge.state != "denied":
            return None
        return None if self.row.error and charge.reason == DenialReason.GENERATION_ENDED else charge

    @property
    def credits_used(self) -> int:
        """Credits held or spent for it; refunded credits do not count."""
        return self.charge.amount if self.charge and self.charge.state in ("debited", "settled") else 0


def generation_status(row: GenerationRow, charge: Charge | None) -> str:
    """The status for users. The charge decides it until the generation has begun."""
    if row.status != "pending" or charge is None:
        return row.status
    return "failed" if charge.state == "denied" else "processing"


class GenerationReader:
    """Reads generations. `ledger_position` is the sequence up to which the ledger's tables are written."""

    def __init__(self, queries: Queries, store: EventStore, ledger_position: Callable[[], int]) -> None:
        self._queries = queries
        self._store = store
        self._ledger_position = ledger_position

    async def state(self, account: str, generation: str) -> GenerationState | None:
        """The account's generation; None if it has none of that id. Raises Unavailable."""
        position = self._ledger_position()
        known = await self._queries.generation(account, generation)
        row, charge = known.row, known.charge
        if row is None or row.status not in ENDED:
            for recorded in await self._new_events(
                subjects.video(account, generation), row.sequence if row else 0
            ):
                row = apply_event(row, recorded)
        if row is not None and charge is None:
            for recorded in await self._ledger_events(account, generation, position):
                charge = apply_to_charge(charge, recorded.event)
        return GenerationState(row, charge) if row is not None else None

    async def timeline(self, account: str, generation: str) -> list[dict[str, Any]]:
        """Every event of the generation and of its payment, in order. Raises Unavailable.

        Numbered within the generation and within the account's ledger: sequences of the streams would reveal how
        much other accounts do.
        """
        position = self._ledger_position()
        events = await self._queries.video_events(generation)
        entries = await self._queries.ledger_events(generation)
        lines = [_video_line(event, number) for number, event in enumerate(events, 1)]
        last = events[-1].sequence if events else 0
        news = await self._new_events(subjects.video(account, generation), last)
        lines += [timeline_event(recorded, number) for number, recorded in enumerate(news, len(events) + 1)]
        lines += [_ledger_line(entry) for entry in entries]
        known = {entry.sequence for entry in entries}
        for recorded in await self._ledger_events(account, generation, position):
            if recorded.sequence not in known and isinstance(recorded.event, LedgerEvent):
                lines.append(timeline_event(recorded, recorded.event.entry))
        return merge_ordered(lines)

    async def _ledger_events(self, account: str, generation: str, position: int) -> Sequence[RecordedEvent]:
        news = await self._new_events(subjects.ledger(account), position)
        return [
            recorded
            for recorded in news
            if isinstance(recorded.event, LedgerEvent)
            and recorded.event.about.get("generation") == generation
        ]

    async def _new_events(self, aggregate: str, after: int) -> Sequence[RecordedEvent]:
        """The aggregate's newer events. Those that this version can't decode are left out, as in the tables."""
        news = await self._store.load(aggregate, after=after, include_undecoded=True)
        return [recorded for recorded in news if not isinstance(recorded.event, UndecodedEvent)]


def _video_line(event: VideoEvent, number: int) -> dict[str, Any]:
    return {
        "type": event.type,
        "stream": "VIDEO",
        "sequence": number,
        "time": event.time,
        "data": event.data,
    }


def _ledger_line(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "type": entry.type,
        "stream": "LEDGER",
        "sequence": entry.entry,
        "time": entry.time,
        "data": entry.data,
    }
