"""Deviations from the canonical form: explicit nulls are breaches, other forms are reported."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.audit.breaches.cases import append_valid_entries, audit, clean_ledger
from tests.support.audit.breaches.planted_ledger import LedgerBuilder
from tests.support.audit.streams import november_streams

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.canonical_form import describe_deviation
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers

NULLS: dict[str, Callable[[LedgerBuilder], object]] = {
    "expires_at": lambda ledger: ledger.granted("bob", 5, expires_at=None),
    "per_day": lambda ledger: ledger.limited("bob", per_day=None, per_generation=9),
    "api_key": lambda ledger: ledger.limited("bob", api_key=None, per_day=9),
    "decided_at": lambda ledger: ledger.granted("bob", 5, decided_at=None),
    "note": lambda ledger: ledger.granted("bob", 5, note=[{"note": None}]),
}


@pytest.mark.parametrize("name", NULLS)
def test_an_explicit_null_is_a_breach(name: str) -> None:
    ledger = clean_ledger()
    NULLS[name](ledger)
    planted = len(ledger.lines)
    found = audit(ledger.entries())
    assert [(breach.kind, breach.sequence) for breach in found] == [(BreachKind.UNREADABLE, planted)]
    assert found[0].message == f"{name} is null: a field without a value is left out"


def test_the_text_null_is_not_a_breach() -> None:
    ledger = clean_ledger()
    ledger.granted("bob", 5, reason="null", reference="null")
    append_valid_entries(ledger)
    assert audit(ledger.entries()) == []


def test_entries_written_by_credits_are_canonical() -> None:
    assert [describe_deviation(entry) for entry in november_streams().ledger] == [None] * 17


def changed(entry: StoredMessage, change: Callable[[dict[str, Any]], object]) -> StoredMessage:
    body = json.loads(entry.body)
    change(body)
    return entry._replace(body=json.dumps(body, separators=(",", ":")).encode())


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a field": (lambda body: body.update(note="x"), "does not name: 'note'"),
    "a field of a price": (lambda body: body["price"].update(discount=1), "does not name: 'discount'"),
    "a field of a posting": (lambda body: body["postings"][0].update(to="x"), "does not name: 'to'"),
    "another order": (lambda body: body.update(entry=body.pop("entry")), "in another order or form"),
    "another order in a price": (
        lambda body: body["price"].update(credits=body["price"].pop("credits")),
        "in another order or form",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_encodings_are_reported_without_a_breach(change: str) -> None:
    deed, says = CHANGES[change]
    found: list[Breach] = []
    replay = LedgerReplay(found.append)
    replay.deviations = []
    entries = november_streams().ledger
    at = next(number for number, entry in enumerate(entries) if entry.subject.endswith(".debited"))
    entries[at] = changed(entries[at], deed)
    replay.take_all(entries, [parse_canonical_headers(entry.head) for entry in entries])
    ((sequence, difference),) = replay.deviations
    assert (sequence, says in difference, found) == (at + 1, True, [])
