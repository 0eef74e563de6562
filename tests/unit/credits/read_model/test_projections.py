"""The tables of credits say of accounts, grants and holds what the ledger says."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, create_engine, select
from tests.support.data.ledger_entries import AVAILABLE, DAY, HOUR, NOW, Entries, fold
from tests.support.data.ledger_histories import execute_history, histories, totals_by_grant
from tests.support.environments.projected_tables import apply_events

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.credits import CreditsGranted, GrantKind, LedgerEvent
from telecine_contracts.examples import envelope
from telecine_credits.read_model.projections import PROJECTIONS
from telecine_credits.read_model.queries import expirable_grants
from telecine_credits.read_model.tables import METADATA, AccountRow, GrantRow, HoldRow
from telecine_credits.rules.commands import TimedCommand
from telecine_credits.rules.postings import GRACE_PERIOD

END = NOW + 2 * DAY
WRITTEN = datetime(2026, 5, 1, tzinfo=NOW.tzinfo)


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = empty()
    yield made
    made.dispose()


def empty() -> Engine:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    return engine


def project(engine: Engine, entries: Iterable[LedgerEvent], *, first: int = 1, a_time: int = 1000) -> None:
    """Apply entries at stream sequences from 10 times `first` on, so many in a transaction."""
    waiting = [
        RecordedEvent(entry, replace(envelope(entry), time=WRITTEN), 10 * number)
        for number, entry in enumerate(entries, start=first)
    ]
    while waiting:
        apply_events(engine, PROJECTIONS[0], waiting[:a_time])
        waiting = waiting[a_time:]


def rows(engine: Engine, model: type[SQLModel]) -> list[dict[str, Any]]:
    with Session(engine) as session:
        return [row.model_dump() for row in session.exec(select(model))]


def grant_row(entry: int, **changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "account": "ann",
        "entry": entry,
        "reference": f"r{entry}",
        "kind": "paid",
        "held": 0,
        "spent": 0,
        "expired": 0,
        "taken_back": 0,
        "granted_at": NOW,
        "expires_at": None,
        "usable_until": None,
    }
    return plain | changes


def test_every_movement_is_seen_on_its_grants(engine: Engine) -> None:
    late = END + HOUR
    entries = (
        Entries()
        .granted(100, expires_at=END)
        .granted(50, kind=GrantKind.PLAN)
        .debited("g1", {1: 60, 2: 5})
        .debited("g2", {1: 30})
        .settled("g2", {1: 30})
        .debited("g3", {2: 7})
        .adjusted(2, {2: 8}, AVAILABLE, "issued", reference="one")
        .expired(1, 10, at=END)
        .refunded("g1", {1: 60, 2: 5}, usable_until=late + GRACE_PERIOD, at=late)
        .adjusted(5, {1: 11}, "spent", AVAILABLE, reference="two", usable_until=late + DAY, at=late)
        .adjusted(8, {1: 2}, "expired", AVAILABLE, reference="three", usable_until=late + DAY, at=late)
        .denied("g4", needed=1000, available=113)
        .closed(at=late)
    )
    project(engine, entries.all)
    assert rows(engine, GrantRow) == [
        grant_row(1, amount=100, available=73, spent=19, expired=8, expires_at=END, usable_until=late + DAY),
        grant_row(2, amount=50, available=35, held=7, taken_back=8, kind="plan"),
    ]
    assert rows(engine, HoldRow) == [
        {"account": "ann", "generation": "g3", "amount": 7, "parts": [[2, 7]], "since": NOW}
    ]
    assert rows(engine, AccountRow) == [
        {"account": "ann", "entry": 13, "available": 108, "held": 7, "is_closed": True, "sequence": 130}
    ]
    project(engine, entries.reopened(at=late).all[13:], first=14)
    assert rows(engine, AccountRow) == [
        {"account": "ann", "entry": 14, "available": 108, "held": 7, "is_closed": False, "sequence": 140}
    ]


def test_old_entries_are_put_to_the_grants_that_paid_by_the_rule(engine: Engine) -> None:
    old = (
        Entries()
        .granted(50)
        .granted(10, kind=GrantKind.PROMOTIONAL)
        .granted(20, expires_at=END)
        .debited("g1", {3: 20, 2: 10, 1: 5})
        .debited("g2", {1: 15})
        .settled("g2", {1: 15})
        .debited("g3", {1: 4})
        .refunded("g3", {1: 4})
        .debited("g4", {1: 1})
    ).as_before_grants_were_named()
    goes_on = old.refunded("g1", {3: 20, 2: 10, 1: 5})
    project(engine, goes_on.all)
    assert rows(engine, GrantRow) == [
        grant_row(1, amount=50, available=34, held=1, spent=15, granted_at=WRITTEN),
        grant_row(2, amount=10, available=10, kind="promotional", granted_at=WRITTEN),
        grant_row(3, amount=20, available=20, expires_at=END, usable_until=END, granted_at=WRITTEN),
    ]
    assert rows(engine, HoldRow) == [
        {"account": "ann", "generation": "g4", "amount": 1, "parts": [[1, 1]], "since": WRITTEN}
    ]


def test_accounts_do_not_mix(engine: Engine) -> None:
    anns = Entries().granted(50).debited("g1", {1: 20}).as_before_grants_were_named()
    bens = Entries().closed().reopened().granted(70, kind=GrantKind.PROMOTIONAL)
    ben = [entry.model_copy(update={"account": "ben"}) for entry in bens.all]
    project(engine, [*ben, *anns.all])
    with Session(engine) as session:
        amounts = {row.account: row.available for row in session.exec(select(GrantRow))}
        balances = {row.account: row.available for row in session.exec(select(AccountRow))}
    assert amounts == balances == {"ann": 30, "ben": 70}


def test_grants_that_expire_by_then_and_have_something_left_are_found(engine: Engine) -> None:
    moment = timedelta(microseconds=1)
    entries = (
        Entries()
        .granted(10, expires_at=NOW - DAY, at=NOW - 2 * DAY)
        .granted(10, expires_at=END)
        .granted(10, expires_at=END + moment)
        .granted(10)
        .granted(10, expires_at=END)
        .debited("g1", {5: 10})
    )
    project(engine, entries.all)
    assert expirable_grants(engine, END) == [("ann", 1, NOW - DAY), ("ann", 2, END)]


@settings(max_examples=30)
@given(histories)
def test_the_tables_are_the_fold(history: list[TimedCommand]) -> None:
    entries, account = execute_history(history)
    sums = totals_by_grant(entries)
    together, apart = empty(), empty()
    project(together, entries)
    project(apart, entries, a_time=1)
    for engine in (together, apart):
        found = {row["entry"]: row for row in rows(engine, GrantRow)}
        assert found.keys() == sums.keys()
        for entry in entries:
            if isinstance(entry, CreditsGranted):
                row, sides = found[entry.entry], sums[entry.entry]
                assert row["amount"] == entry.amount
                assert row["taken_back"] == entry.amount + sides["issued"]
                assert all(row[side] == sides[side] for side in ("available", "held", "spent", "expired"))
                assert row["usable_until"] == account.grants[entry.entry].usable_until
        assert {row["generation"]: row["parts"] for row in rows(engine, HoldRow)} == {
            name: [list(part) for part in hold.shares] for name, hold in account.holds.items()
        }
        assert [
            (row["entry"], row["available"], row["held"], row["is_closed"])
            for row in rows(engine, AccountRow)
        ] == ([(account.entry, account.available, account.held, account.is_closed)] if entries else [])
        engine.dispose()


def test_the_tables_agree_with_the_rules_on_an_old_ledger(engine: Engine) -> None:
    old = Entries().granted(5).granted(5).debited("g1", {1: 5, 2: 2}).as_before_grants_were_named()
    project(engine, old.all)
    (hold,) = rows(engine, HoldRow)
    assert hold["parts"] == [list(part) for part in fold(old).holds["g1"].shares]
