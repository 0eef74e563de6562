"""What the demonstration tells at its end, for people and as one JSON document. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.event_reader import merge_streams
from telecine_cli.ledger_client import balances_after
from telecine_cli.output.event_summary import describe
from telecine_cli.output.timeline import format_time, ledger_as_json, ledger_lines, timeline_lines
from telecine_contracts.descriptions import format_size

from .gateway_client import Download
from .tracker import TrackedGeneration

__all__ = ["FinishedGeneration", "document", "report"]


@dataclass(frozen=True)
class FinishedGeneration:
    """A generation that has come to its end, and its file."""

    journey: TrackedGeneration
    status: str
    download: Download


def report(finished: Iterable[FinishedGeneration], ledger: Sequence[RecordedEvent]) -> Iterator[str]:
    """The timelines, the ledger and the closing balance as lines of text."""
    for one in finished:
        journey, file = one.journey, one.download
        yield ""
        yield f"{journey.kind.value}  {journey.generation}  {one.status}, {journey.cost} credits"
        yield f"{file.file}  {format_size(file.bytes)}, sha256 {file.sha256}"
        yield from (f"  {line}" for line in timeline_lines(merge_streams(journey.events)))
    balance = balances_after(list(ledger))
    yield ""
    yield "the account's ledger"
    yield from (f"  {line}" for line in ledger_lines(ledger))
    yield ""
    yield f"closing balance: {balance.available} credits available, {balance.held} held"


def document(finished: Iterable[FinishedGeneration], ledger: Sequence[RecordedEvent]) -> dict[str, Any]:
    """The same facts for programs."""
    return {
        "generations": [_generation(one) for one in finished],
        "ledger": [ledger_as_json(entry) for entry in ledger],
        "balance": balances_after(list(ledger)).model_dump(),
    }


def _generation(one: FinishedGeneration) -> dict[str, Any]:
    return {
        "id": one.journey.generation,
        "kind": one.journey.kind.value,
        "status": one.status,
        "cost": one.journey.cost,
        "file": str(one.download.file),
        "bytes": one.download.bytes,
        "sha256": one.download.sha256,
        "events": [_event(recorded) for recorded in merge_streams(one.journey.events)],
    }


def _event(recorded: RecordedEvent) -> dict[str, Any]:
    return {
        "stream": recorded.event.stream,
        "sequence": recorded.sequence,
        "type": recorded.event.type,
        "time": format_time(recorded.envelope.time),
        "what": describe(recorded.event),
    }
