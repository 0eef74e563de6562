"""An account's rows match its ledger; figures that are not known exactly are left out."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from sqlalchemy import Engine
from sqlmodel import Session, col, create_engine, select
from tests.support.data.ledger_entries import DAY, HOUR, NOW, OWNER, Entries
from tests.support.data.ledger_histories import execute_history, histories, totals_by_grant
from tests.support.environments.projected_tables import apply_events

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts import Envelope
from telecine_contracts.credits import GrantKind, LedgerEvent
from telecine_contracts.subjects import of_event
from telecine_credits.rules.account import Account
from telecine_credits.rules.commands import TimedCommand
from telecine_gateway.read_model.projections import PROJECTIONS
from telecine_gateway.read_model.tables import METADATA, Balance, GrantRow, LedgerEntry, SpendLimit

LEDGER_PROJECTION = next(one for one in PROJECTIONS if one.name == "ledger")
SIDES = ("available", "held", "spent", "expired")


def database() -> Engine:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    return engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = database()
    yield engine
    engine.dispose()


def apply(engine: Engine, events: Sequence[LedgerEvent], *, time: datetime = NOW) -> None:
    recorded = []
    for sequence, event in enumerate(events, 1):
        envelope = Envelope(
            id=f"e{sequence}",
            source="test",
            type=event.type,
            time=time + timedelta(seconds=sequence),
            subject=of_event(event),
            correlation="c",
            causation="c",
        )
        recorded.append(RecordedEvent(event, envelope, sequence))
    apply_events(engine, LEDGER_PROJECTION, recorded)


@settings(max_examples=20, deadline=None)
@given(histories)
def test_rows_match_the_ledger(history: list[TimedCommand]) -> None:
    entries, account = execute_history(history)
    engine = database()
    apply(engine, entries)
    with Session(engine) as session:
        balance = session.get(Balance, OWNER) or Balance(account=OWNER, entry=0, available=0, held=0)
        assert (balance.available, balance.held) == (account.available, account.held)
        assert (balance.entry, balance.closed) == (account.entry, account.is_closed)
        assert balance.attributed
        grants_hold(session.exec(select(GrantRow)).all(), entries, account)
        bounds = {
            limit.api_key: (limit.per_day, limit.per_generation) for limit in session.exec(select(SpendLimit))
        }
        assert bounds == {
            scope: (limit.per_day, limit.per_generation) for scope, limit in account.limits.items()
        }
        in_order(session.exec(select(LedgerEntry).order_by(col(LedgerEntry.entry))).all(), entries)
    engine.dispose()


def grants_hold(grants: Sequence[GrantRow], entries: Sequence[LedgerEvent], account: Account) -> None:
    """Every credit of a grant is where the postings put it."""
    assert {grant.number: grant.usable_until for grant in grants} == {
        number: grant.usable_until for number, grant in account.grants.items()
    }
    moved = totals_by_grant(entries)
    for grant in grants:
        sums = moved[grant.number]
        assert [getattr(grant, side) for side in SIDES] == [sums[side] for side in SIDES]
        assert grant.amount - grant.taken_back == -sums["issued"]


def in_order(lines: Sequence[LedgerEntry], entries: Sequence[LedgerEvent]) -> None:
    """Entries count for statements in their order, though clocks differ."""
    assert all(one.at <= other.at for one, other in pairwise(lines))
    decided = [event.decided_at for event in entries if event.decided_at]
    assert all(line.at >= at for line, at in zip(lines, decided, strict=True))


def test_refunded_credits_are_usable_longer(engine: Engine) -> None:
    until = NOW + 30 * HOUR
    entries = (
        Entries()
        .granted(100, expires_at=NOW + DAY)
        .granted(50)
        .debited("g1", {1: 100, 2: 20})
        .refunded("g1", {1: 100, 2: 20}, usable_until=until, at=NOW + 6 * HOUR)
    )

    apply(engine, entries.all)

    with Session(engine) as session:
        first, second = session.exec(select(GrantRow).order_by(col(GrantRow.number))).all()
    assert (first.expires_at, first.usable_until) == (NOW + DAY, until)
    assert (second.expires_at, second.usable_until) == (None, None)


def test_entries_without_grants_are_not_attributed(engine: Engine) -> None:
    entries = Entries().granted(100).debited("g1", {1: 60}).as_before_grants_were_named()

    apply(engine, entries.all, time=NOW)

    with Session(engine) as session:
        balance = session.get(Balance, OWNER)
        line = session.exec(select(LedgerEntry).order_by(col(LedgerEntry.entry))).first()
    assert balance is not None
    assert line is not None
    assert (balance.available, balance.held, balance.attributed) == (40, 60, False)
    assert line.at == NOW + timedelta(seconds=1)


def test_an_expiry_without_a_zone_was_meant_in_utc(engine: Engine) -> None:
    naive = datetime(2026, 7, 1)  # noqa: DTZ001  as entries from before 0.2 may have it
    entries = Entries().granted(100, kind=GrantKind.PLAN, expires_at=naive)

    apply(engine, entries.all)

    with Session(engine) as session:
        [grant] = session.exec(select(GrantRow)).all()
    assert grant.expires_at == grant.usable_until == naive.replace(tzinfo=UTC)


def test_nul_in_a_text_is_replaced(engine: Engine) -> None:
    apply(engine, Entries().granted(100, reference="a\0b", reason="c\0d").all)

    with Session(engine) as session:
        [line] = session.exec(select(LedgerEntry)).all()
        [grant] = session.exec(select(GrantRow)).all()
    assert "\0" not in f"{line.reference}{line.reason}{grant.reference}{grant.reason}"
