"""Corrupted entries: the auditor never stops, and reports every change."""

import json
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.audit.large_ledger import large_ledger
from tests.support.audit.random_histories import audit_entries, run_history

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.header_parser import printable
from telecine_auditor.sources.message import StoredMessage

LEDGER = list(large_ledger(300, accounts=3))
STORY = run_history(bytes(Random(5).randbytes(150))).entries  # noqa: S311 - the same story every time


def flipped(data: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[at % len(data)] ^= 1 << bit
    return bytes(changed)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(st.integers(0, len(STORY) - 1), st.integers(0, 2000), st.integers(0, 7), st.booleans())
def test_any_single_bit_flip_can_be_audited(which: int, at: int, bit: int, in_head: bool) -> None:
    entries = list(STORY)
    old = entries[which]
    if in_head:
        entries[which] = old._replace(head=flipped(old.head, at, bit))
    else:
        entries[which] = old._replace(body=flipped(old.body, at, bit))

    replay, _ = audit_entries(entries)

    assert replay.entries == len(entries)


def test_any_changed_character_of_an_entry_is_detected() -> None:
    """Changes every character before the time of the decision."""
    which = next(at for at, entry in enumerate(LEDGER) if entry.subject.endswith(".settled"))
    body = LEDGER[which].body
    tail = body.index(b'"decided_at"')
    unnoticed = []
    for at in range(tail):
        entries = list(LEDGER)
        entries[which] = entries[which]._replace(body=flipped(body, at, 0))
        if not audit_entries(entries)[1]:
            unnoticed.append(body[at : at + 1])

    assert unnoticed == []


def bent(action: str, old: bytes, new: bytes) -> list[StoredMessage]:
    """The ledger with the first entry of that action changed, and without its API key."""
    entries = list(LEDGER)
    which = next(at for at, entry in enumerate(entries) if entry.subject.endswith(action))
    plain = re.sub(rb',"api_key":"[^"]*"', b"", entries[which].body)
    body, places = re.subn(old, lambda found: found.expand(new), plain)
    assert places == 1
    entries[which] = entries[which]._replace(body=body)
    return entries


@pytest.mark.parametrize("action", [".debited", ".settled"])
@pytest.mark.parametrize(
    "clock",
    [
        rb"\1\n\2",
        rb"\1\\\2",
        b"\\1\x00\\2",
        b"\\1\xe9\\2",
        rb"\1x\2",
        b"2026-W10-1T00:00:00Z",
        b"20260301T000000Z",
        b"2026-03-01T00Z",
        b"2026-03-01T00:00:00,5Z",
    ],
)
def test_a_time_in_another_form_is_unreadable(action: str, clock: bytes) -> None:
    _, found = audit_entries(bent(action, rb'(?<="decided_at":")([^"T]+)T([^"]+)(?=")', clock))

    assert found[0].kind is BreachKind.UNREADABLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb"}}$", b"}]"),
        (rb"}}$", b"} "),
        (rb"}}$", b"}"),
        (rb'"price":{', b'"price":{"x":NaN,'),
        (rb'"price":{', b'"price":{"x":' + b"[" * 250 + b"]" * 250 + b","),
    ],
)
def test_a_debit_that_is_not_json_is_unreadable(old: bytes, new: bytes) -> None:
    _, found = audit_entries(bent(".debited", old, new))

    assert found[0].kind is BreachKind.UNREADABLE


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_fields = st.sampled_from(sorted({name for entry in STORY for name in json.loads(entry.body)}))


@settings(max_examples=600, derandomize=True, deadline=None, database=None)
@given(st.integers(0, len(STORY) - 1), _fields, _json)
def test_any_value_in_any_field_can_be_audited(which: int, field: str, value: object) -> None:
    entries = list(STORY)
    body = json.loads(entries[which].body)
    body[field] = value
    entries[which] = entries[which]._replace(body=json.dumps(body).encode())

    replay, _ = audit_entries(entries)

    assert replay.entries == len(entries)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    st.integers(0, len(STORY) - 1), st.sampled_from(("postings", "balances", "price", "limit")), _json, _json
)
def test_any_value_within_a_field_can_be_audited(which: int, field: str, key: object, value: object) -> None:
    entries = list(STORY)
    body = json.loads(entries[which].body)
    inner = body.get(field)
    if isinstance(inner, list):
        inner = [leg | {("account", "amount", "grant")[len(str(key)) % 3]: value} for leg in inner] or [value]
    elif isinstance(inner, dict) and inner:
        inner |= {sorted(inner)[len(str(key)) % len(inner)]: value}
    else:
        inner = {str(key): value}
    body[field] = inner
    entries[which] = entries[which]._replace(body=json.dumps(body).encode())

    replay, _ = audit_entries(entries)

    assert replay.entries == len(entries)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.text(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_any_message_can_be_audited(subject: str, head: bytes, body: bytes) -> None:
    foreign = StoredMessage(len(LEDGER) + 1, 0, subject, head, body)

    _, found = audit_entries([*LEDGER, foreign])

    assert [breach.sequence for breach in found] == [foreign.sequence]


@pytest.mark.parametrize("drop", [1, 150, 299])
def test_a_missing_sequence_is_reported(drop: int) -> None:
    entries = [entry for entry in LEDGER if entry.sequence != drop]

    _, found = audit_entries(entries)

    assert (found[0].kind, found[0].sequence) == (BreachKind.SEQUENCE_GAP, drop + 1)
    assert {breach.kind for breach in found[1:]} <= {
        BreachKind.ENTRY_GAP,
        BreachKind.END_WITHOUT_DEBIT,
        BreachKind.GRANT_UNKNOWN,
    }


def test_a_repeated_sequence_is_reported() -> None:
    _, found = audit_entries([*LEDGER, LEDGER[-1]])

    assert [breach.kind for breach in found] == [BreachKind.SEQUENCE_GAP, BreachKind.REPEATED_ID]


def test_swapped_entries_are_reported() -> None:
    debits = [at for at, entry in enumerate(LEDGER) if entry.subject == "ledger.account-00001.debited"]
    first, second = debits[:2]
    entries = list(LEDGER)
    entries[first], entries[second] = (
        LEDGER[second]._replace(sequence=first + 1),
        LEDGER[first]._replace(sequence=second + 1),
    )

    _, found = audit_entries(entries)

    assert {breach.kind for breach in found} == {BreachKind.ENTRY_GAP, BreachKind.OUT_OF_ORDER}


def test_shown_values_are_short_and_printable() -> None:
    assert printable("\x1b[31m" + "x" * 500).startswith("'\\x1b[31mx")
    assert len(printable("x" * 500)) == 80
    assert printable(10**5000) == "a very large number"
