"""Parser of entries: typed events in canonical form, and other forms."""

import pytest
from tests.support.audit.large_ledger import event_head, large_ledger
from tests.support.audit.nats_ledger import small_ledger
from tests.support.audit.random_histories import replay_state

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.event_parser import EVENT_SCHEMAS, parse_event
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.ledger.rules.registry import RULES
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers
from telecine_contracts.catalog import EVENTS, registry
from telecine_contracts.credits import LedgerEvent
from telecine_contracts.examples import EXAMPLES
from telecine_contracts.registry import encode
from telecine_contracts.subjects import of_event


def test_every_event_of_the_ledger_has_a_rule() -> None:
    known = {event.action: event.type for event in EVENTS if issubclass(event, LedgerEvent)}

    assert {action: of.types[0] for action, of in EVENT_SCHEMAS.items()} == known
    assert set(RULES) == set(EVENT_SCHEMAS)
    assert all(name in registry() for of in EVENT_SCHEMAS.values() for name in of.types)


@pytest.mark.parametrize(
    "event", [event for event in EXAMPLES if isinstance(event, LedgerEvent)], ids=lambda event: event.type
)
def test_the_example_of_every_event_is_canonical(event: LedgerEvent) -> None:
    subject = of_event(event)
    head = event_head("id", event.type, subject, "2026-11-23T10:00:00", "c")

    read = parse_event(StoredMessage(1, 0, subject, head, encode(event)), "acme", EVENT_SCHEMAS[event.action])

    assert (read.number, read.decided_at, read.type) == (event.entry, event.decided_at, event.type)
    assert read.canonical
    assert set(EVENT_SCHEMAS[event.action].event.__struct_fields__) == set(type(event).model_fields)


def test_entries_written_by_credits_are_canonical() -> None:
    entries = small_ledger(20).ledger
    replay = LedgerReplay(refuse)

    readings = [replay.take(entry) for entry in entries]

    assert all(reading is not None and reading.canonical for reading in readings)
    assert replay.spent == 20 * 50


STRICTLY = {
    "white space": (b',"entry"', b', "entry"'),
    "a number with an exponent": (b'"amount":5000,', b'"amount":5e3,'),
    "an escaped letter": (b'"Top up"', b'"T\\u006fp up"'),
    "an unknown field": (b',"entry"', b',"note":1,"entry"'),
    "an offset instead of Z": (b'Z","amount"', b'+00:00","amount"'),
    "fewer digits of a second": (b"040000Z", b"04Z"),
}


@pytest.mark.parametrize("form", STRICTLY)
def test_another_form_of_an_event_is_not_canonical(form: str) -> None:
    grant = next(large_ledger(1))
    old, new = STRICTLY[form]
    body = grant.body.replace(old, new)
    assert body != grant.body
    breaches: list[Breach] = []

    reading = LedgerReplay(breaches.append).take(grant._replace(body=body))

    if form == "a number with an exponent":
        assert [breach.kind for breach in breaches] == [BreachKind.UNREADABLE]
    else:
        assert reading is not None
        assert (reading.canonical, reading.event.amount, breaches) == (False, 5000, [])


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_batch_boundaries_do_not_change_the_result(size: int) -> None:
    entries = list(large_ledger(5000, accounts=20))
    whole, parts = LedgerReplay(refuse), LedgerReplay(refuse)
    heads = [parse_canonical_headers(entry.head) for entry in entries]

    whole.take_all(entries, heads)
    for at in range(0, len(entries), size):
        parts.take_all(entries[at : at + size], heads[at : at + size])

    assert replay_state(whole) == replay_state(parts)


def refuse(breach: Breach) -> None:
    raise AssertionError(breach)
