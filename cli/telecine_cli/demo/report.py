"""The result of the demo: printed for people, or as one JSON document."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.event_reader import merge_streams
from telecine_cli.ledger_client import balances_after
from telecine_cli.output.events import timeline_rows
from telecine_cli.output.formats import describe, format_time
from telecine_cli.output.ledger import LEDGER_HEAD, LEDGER_RIGHT, ledger_as_json, ledger_row
from telecine_contracts.descriptions import format_size

from .console import DemoConsole
from .gateway_client import Download
from .tracker import TrackedGeneration

__all__ = ["FinishedGeneration", "document", "print_report"]


@dataclass(frozen=True)
class FinishedGeneration:
    """A generation that has ended, and its file."""

    tracked: TrackedGeneration
    status: str
    download: Download


def print_report(
    console: DemoConsole, finished: Iterable[FinishedGeneration], ledger: Sequence[RecordedEvent]
) -> None:
    """Print the timelines, the ledger and the closing balance."""
    for one in finished:
        tracked, file = one.tracked, one.download
        console.say()
        console.say(
            f"{tracked.kind.value}  {tracked.generation}  {one.status}, {tracked.cost} credits", "bold"
        )
        console.say(f"{file.file}  {format_size(file.bytes)}, sha256 {file.sha256}")
        console.table(timeline_rows(merge_streams(tracked.events)))
    balance = balances_after(list(ledger))
    console.say()
    console.say("ledger of the account", "bold")
    console.table(map(ledger_row, ledger), head=LEDGER_HEAD, right=LEDGER_RIGHT)
    console.say()
    console.say(f"closing balance: {balance.available} credits available, {balance.held} held")


def document(finished: Iterable[FinishedGeneration], ledger: Sequence[RecordedEvent]) -> dict[str, Any]:
    """The same content for programs."""
    return {
        "generations": [_generation(one) for one in finished],
        "ledger": [ledger_as_json(entry) for entry in ledger],
        "balance": balances_after(list(ledger)).model_dump(),
    }


def _generation(one: FinishedGeneration) -> dict[str, Any]:
    return {
        "id": one.tracked.generation,
        "kind": one.tracked.kind.value,
        "status": one.status,
        "cost": one.tracked.cost,
        "file": str(one.download.file),
        "bytes": one.download.bytes,
        "sha256": one.download.sha256,
        "events": [_event(recorded) for recorded in merge_streams(one.tracked.events)],
    }


def _event(recorded: RecordedEvent) -> dict[str, Any]:
    return {
        "stream": recorded.event.stream,
        "sequence": recorded.sequence,
        "type": recorded.event.type,
        "time": format_time(recorded.envelope.time),
        "what": describe(recorded.event),
    }
