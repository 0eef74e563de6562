"""The auditor knows every event of the ledger by itself, and takes the short way where credits writes as it should."""

import pytest
from tests.support.audit.large_ledger import event_head, large_ledger
from tests.support.audit.nats_ledger import small_ledger
from tests.support.audit.random_histories import replay_state

from telecine_auditor.breaches import Breach
from telecine_auditor.ledger.event_parser import ACTIONS, read_body
from telecine_auditor.ledger.replay import Books, Reading
from telecine_auditor.ledger.rules.fast_path import SHORTCUTS
from telecine_auditor.ledger.rules.registry import RULES
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers
from telecine_contracts.catalog import EVENTS, registry
from telecine_contracts.credits import LedgerEvent
from telecine_contracts.examples import EXAMPLES
from telecine_contracts.registry import encode
from telecine_contracts.subjects import of_event


class Careful(Books):
    """Counts the entries that did not go the short way."""

    def __init__(self) -> None:
        self.breaches: list[Breach] = []
        self.careful: list[str] = []
        super().__init__(self.breaches.append)

    def take(self, entry: StoredMessage) -> Reading | None:
        self.careful.append(entry.subject)
        return super().take(entry)


def test_every_event_of_the_ledger_has_a_rule() -> None:
    known = {event.action: event.type for event in EVENTS if issubclass(event, LedgerEvent)}

    assert {action: of.types[0] for action, of in ACTIONS.items()} == known
    assert set(RULES) == set(ACTIONS) > set(SHORTCUTS)
    assert all(name in registry() for of in ACTIONS.values() for name in of.types)


@pytest.mark.parametrize(
    "event", [event for event in EXAMPLES if isinstance(event, LedgerEvent)], ids=lambda event: event.type
)
def test_the_example_of_every_event_is_read(event: LedgerEvent) -> None:
    subject = of_event(event)
    head = event_head("id", event.type, subject, "2026-11-23T10:00:00", "c")

    read = read_body(
        StoredMessage(1, 0, subject, head, encode(event)), "acme", event.action, ACTIONS[event.action]
    )

    assert (read.number, read.decided_at, read.type) == (event.entry, event.decided_at, event.type)


def test_entries_written_by_credits_take_the_fast_path() -> None:
    """All but the grant, and the first of each kind."""
    entries = small_ledger(20).ledger
    books = Careful()

    books.take_all(entries, [parse_canonical_headers(entry.head) for entry in entries])

    assert books.careful == ["ledger.ann.granted", "ledger.ann.debited", "ledger.ann.settled"]
    assert (books.breaches, books.spent) == ([], 20 * 50)


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_batch_boundaries_do_not_change_the_result(size: int) -> None:
    entries = list(large_ledger(5000, accounts=20))
    whole, parts = Careful(), Careful()
    heads = [parse_canonical_headers(entry.head) for entry in entries]

    whole.take_all(entries, heads)
    for at in range(0, len(entries), size):
        parts.take_all(entries[at : at + size], heads[at : at + size])

    assert (whole.breaches, parts.breaches) == ([], [])
    assert replay_state(whole) == replay_state(parts)
    assert len(whole.careful) < len(entries) // 20
