"""Messages on the ledger that are not entries: breaches, until a decision skips them."""

import hashlib
import json

import pytest
from tests.support.audit.streams import StreamBuilder, november_time

from telecine_auditor.breaches import BreachKind, BreachList
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_credits.rules.commands import Skip, TimedCommand


def grant(streams: StreamBuilder, reference: str) -> None:
    command = TimedCommand(
        GrantCredits(account="ann", amount=10, kind=GrantKind.PAID, reference=reference), november_time(1)
    )
    streams.do(command)


def foreign(streams: StreamBuilder, body: bytes, action: str = "granted", head: bytes = b"") -> int:
    """Append a message that credits cannot read; returns its sequence."""
    sequence = len(streams.ledger) + 1
    streams.ledger.append(
        StoredMessage(sequence, streams.ledger[-1].stored_at, f"ledger.ann.{action}", head, body)
    )
    return sequence


def decide(streams: StreamBuilder, sequence: int, body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest()
    streams.do(
        TimedCommand(
            Skip(account="ann", sequence=sequence, sha256=digest, reason="by hand"), november_time(1)
        )
    )


def audited(streams: StreamBuilder) -> tuple[BreachList, LedgerReplay]:
    found = BreachList(1)
    replay = LedgerReplay(found)
    replay.take_all(streams.ledger, [parse_canonical_headers(entry.head) for entry in streams.ledger])
    found.excuse(replay.skipped)
    return found, replay


def half_readable(streams: StreamBuilder) -> tuple[bytes, bytes]:
    """Head and body of an entry with a valid number and an invalid amount."""
    last = streams.ledger[-1]
    body = json.loads(last.body) | {"entry": 2, "amount": -1}
    return last.head.replace(b"ce-id: ", b"ce-id: x"), json.dumps(body).encode()


def test_a_skipped_message_leaves_the_account_as_it_was() -> None:
    streams = StreamBuilder()
    grant(streams, "first")
    head, body = half_readable(streams)
    junk, unnamed = foreign(streams, b"\xff"), foreign(streams, b"{}", "remarked")
    half = foreign(streams, body, head=head)
    for sequence, content in ((junk, b"\xff"), (unnamed, b"{}"), (half, body)):
        decide(streams, sequence, content)
    grant(streams, "second")

    found, replay = audited(streams)

    assert (found.count, found.kept, dict(found.kinds)) == (0, [], {})
    assert list(replay.skipped) == [junk, unnamed, half]
    assert all("'by hand'" in sentence for sentence in replay.skipped.values())
    ann = replay.accounts["ann"]
    assert (ann.available, ann.entry, ann.incomplete, ann.unread) == (20, 5, False, 0)


def test_each_skipped_message_needs_its_own_decision() -> None:
    streams = StreamBuilder()
    grant(streams, "first")
    one, other = foreign(streams, b"one"), foreign(streams, b"other")
    decide(streams, other, b"other")

    found, replay = audited(streams)

    assert [(breach.kind, breach.sequence) for breach in found.kept] == [(BreachKind.UNREADABLE, one)]
    assert list(replay.skipped) == [other]


@pytest.mark.parametrize("skips", ["an entry", "a message with another body", "what is not there"])
def test_a_decision_cannot_skip_an_entry(skips: str) -> None:
    streams = StreamBuilder()
    grant(streams, "first")
    sequence, body = 1, streams.ledger[0].body
    if skips == "a message with another body":
        sequence, body = foreign(streams, b"one"), b"two"
    elif skips == "what is not there":
        sequence = 99
    decide(streams, sequence, body)

    found, replay = audited(streams)

    assert found.kinds[BreachKind.WRONG_SKIP] == 1
    assert replay.skipped == {}
    assert replay.accounts["ann"].available == 10


def test_a_decision_after_a_later_entry_is_a_wrong_skip() -> None:
    """An overwritten entry with entries after it is not a foreign message: credits are missing."""
    streams = StreamBuilder()
    for reference in ("first", "second", "third"):
        grant(streams, reference)
    streams.ledger[1] = streams.ledger[1]._replace(body=b"junk")
    decide(streams, 2, b"junk")

    found, replay = audited(streams)

    assert found.kinds == {BreachKind.UNREADABLE: 1, BreachKind.WRONG_SKIP: 1}
    assert replay.skipped == {}


def test_a_message_that_names_another_account_stays_a_breach() -> None:
    streams = StreamBuilder()
    grant(streams, "first")
    head, body = half_readable(streams)
    body = body.replace(b'"ann"', b'"bob"', 1)
    sequence = foreign(streams, body, head=head)
    decide(streams, sequence, body)

    found, replay = audited(streams)

    assert found.kinds == {BreachKind.WRONG_SUBJECT: 1, BreachKind.WRONG_SKIP: 1}
    assert replay.skipped == {}
