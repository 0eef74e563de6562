"""Timelines and ledgers as rows, lines and JSON."""

from datetime import UTC, datetime, timedelta
from typing import Any

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.event_reader import merge_streams
from telecine_cli.output.events import event_as_json, live_line, timeline_rows
from telecine_cli.output.ledger import ledger_as_json, ledger_row
from telecine_contracts import Envelope, Event
from telecine_contracts.credits import CreditsDebited, CreditsGranted, CreditsSettled
from telecine_contracts.examples import envelope, example
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import GenerationProgressed

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def recorded(event: type[Event], sequence: int, seconds: float, **changes: str) -> RecordedEvent:
    known = envelope(example(event))
    values: dict[str, Any] = {
        "id": known.id,
        "source": known.source,
        "type": known.type,
        "subject": known.subject,
        "correlation": known.correlation,
        "causation": known.causation,
    }
    return RecordedEvent(
        example(event), Envelope(time=START + timedelta(seconds=seconds), **(values | changes)), sequence
    )


REQUESTED = recorded(GenerationRequested, 12, 0, id="request", causation="post")
DEBITED = recorded(CreditsDebited, 3, 0.0123, id="debit", causation="request")


def test_a_row_shows_time_position_type_and_description() -> None:
    first, second = timeline_rows([REQUESTED, DEBITED])
    assert first[:3] == ("+0.000 s", "VIDEO#12", "generation.requested.v1")
    assert second[:3] == ("+0.012 s", "LEDGER#3", "credits.debited.v1")
    assert "debited 50 credits" in second[3]
    assert timeline_rows([]) == []


def test_events_of_two_streams_are_ordered_by_time() -> None:
    assert merge_streams([DEBITED, REQUESTED]) == [REQUESTED, DEBITED]


def test_causes_precede_effects_despite_clock_skew() -> None:
    early = recorded(CreditsDebited, 3, -0.5, id="debit", causation="request")
    settled = recorded(CreditsSettled, 4, -0.4, id="settle", causation="debit")
    assert merge_streams([settled, early, REQUESTED]) == [REQUESTED, early, settled]
    rootless = recorded(GenerationRequested, 12, 0, id="request", causation="request")
    assert merge_streams([early, rootless]) == [rootless, early]


def test_a_stream_keeps_its_own_order_though_clocks_differ() -> None:
    behind = recorded(GenerationProgressed, 14, -3600, id="progress", causation="timer")
    assert merge_streams([behind, DEBITED, REQUESTED]) == [REQUESTED, behind, DEBITED]


def test_cyclic_causes_are_still_shown() -> None:
    one = recorded(CreditsDebited, 3, 0, id="a", causation="b")
    other = recorded(CreditsSettled, 4, 1, id="b", causation="a")
    assert merge_streams([other, one]) == [one, other]


def test_a_live_line_names_the_account_and_the_generation() -> None:
    line = live_line(DEBITED)
    event = DEBITED.event
    assert line.startswith("2026-11-23T10:00:00.012Z  LEDGER#3")
    assert all(value in line for value in event.about.values())


def test_json_holds_the_envelope_and_the_body() -> None:
    document = event_as_json(DEBITED)
    assert (document["stream"], document["sequence"], document["type"]) == ("LEDGER", 3, "credits.debited.v1")
    assert document["causation"] == "request"
    assert document["data"]["amount"] == 50


def test_a_ledger_row_shows_the_change_and_the_balance() -> None:
    granted, debited, settled = map(
        ledger_row, [recorded(CreditsGranted, 1, 0), DEBITED, recorded(CreditsSettled, 4, 9)]
    )
    assert granted[3:7] == ("+500", "0", "500", "0")
    assert debited[3:5] == ("-50", "+50")
    assert settled[3:5] == ("0", "-50")


def test_an_entry_as_json_adds_up() -> None:
    entry = ledger_as_json(DEBITED)
    assert (entry["available"], entry["held"]) == (-50, 50)
    assert entry["generation"] == DEBITED.event.about["generation"]
