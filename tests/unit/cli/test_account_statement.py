"""An account's statement and standing on the command line: the gateway's rules, from the ledger alone."""

from datetime import timedelta
from itertools import pairwise

from tests.support.data.ledger_entries import AVAILABLE, DAY, HOUR, NOW, Entries

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.account_statement import account_after, grants_of, statement_of
from telecine_cli.output.ledger import ledger_as_json, ledger_row
from telecine_contracts import Envelope
from telecine_contracts.credits import DenialReason, GrantKind
from telecine_contracts.subjects import of_event
from telecine_gateway.read_model.entries import Period, RunningBalance

A_WEEK = (
    Entries()
    .granted(100, reference="pay_1")
    .granted(50, kind=GrantKind.PLAN, expires_at=NOW + 3 * DAY, at=NOW + HOUR)
    .debited("g1", {2: 50, 1: 20}, at=NOW + DAY)
    .denied("g2", DenialReason.INSUFFICIENT_CREDITS, needed=100, available=80, at=NOW + DAY)
    .settled("g1", {2: 50, 1: 20}, at=NOW + 2 * DAY)
    .adjusted(1, {1: 30}, AVAILABLE, "issued", at=NOW + 2 * DAY - HOUR)
    .limited(per_day=200, api_key="key_1", at=NOW + 4 * DAY)
    .closed("moved", at=NOW + 5 * DAY)
    .reopened(at=NOW + 6 * DAY)
)


def recorded(entries: Entries) -> list[RecordedEvent]:
    return [
        RecordedEvent(
            event,
            Envelope(
                id=f"e{sequence}",
                source="test",
                type=event.type,
                time=(event.decided_at or NOW) + timedelta(milliseconds=3),
                subject=of_event(event),
                correlation="c",
                causation="c",
            ),
            sequence,
        )
        for sequence, event in enumerate(entries.all, 1)
    ]


def test_consecutive_periods_share_a_balance_and_omit_denials() -> None:
    week = recorded(A_WEEK)
    ends = [None, NOW, NOW + DAY, NOW + 2 * DAY, NOW + 5 * DAY, None]
    told = [statement_of("ann", week, Period(since, until)) for since, until in pairwise(ends)]

    for (one, _), (other, _) in pairwise(told):
        assert one.closing == other.opening
    assert told[0][0].opening == RunningBalance(0, 0, 0)
    assert told[-1][0].closing == RunningBalance(9, 50, 0)
    shown = [line.entry for _, lines in told for line in lines]
    assert shown == [1, 2, 3, 5, 6, 7, 8, 9]


def test_an_entry_never_counts_before_the_one_before_it() -> None:
    _, lines = statement_of("ann", recorded(A_WEEK), Period(None, None))
    corrected = next(line for line in lines if line.action == "adjusted")
    assert corrected.at == NOW + 2 * DAY


def test_entries_from_before_0_2_count_at_the_time_of_their_envelope() -> None:
    old = recorded(Entries().granted(100).as_before_grants_were_named())
    _, [line] = statement_of("ann", old, Period(None, None))
    assert line.at == old[0].envelope.time


def test_only_grants_with_credits_left_are_listed() -> None:
    running = recorded(A_WEEK.debited("g3", {1: 15}, at=NOW + 6 * DAY))
    [grant] = grants_of(account_after(running), running)
    assert (grant.granted.reference, grant.available, grant.held) == ("pay_1", 35, 15)


def test_a_ledger_row_names_what_the_entry_is_for() -> None:
    purposes = [ledger_row(entry)[-1] for entry in recorded(A_WEEK)]
    assert purposes[:6] == ["pay_1", "r2", "g1", "g2", "g1", "entry 1, ticket"]
    assert purposes[6:8] == ["set limits of API key key_1: 200 credits per day", "moved"]
    corrected = ledger_as_json(recorded(A_WEEK)[5])
    assert (corrected["corrects"], corrected["available"], corrected["reference"]) == (1, -30, "ticket")
