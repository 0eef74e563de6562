"""Where the model chooses the length, the most is held, and the price of the actual length is settled."""

from datetime import UTC, datetime, timedelta

import pytest

from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import CreditsSettled, GrantKind
from telecine_contracts.pricing import SEED_TABLE, PricedInputs, seed_price
from telecine_credits.rules.account import ACCOUNT_SCOPE, Account, evolve
from telecine_credits.rules.commands import AdminCommand, Debit, Settle, TimedCommand
from telecine_credits.rules.decider import decide

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
PRICE = SEED_TABLE.quote(PricedInputs(model=None, resolution="720p", seconds=12, shortest=4))


def after(account: Account, command: AdminCommand | Debit | Settle) -> tuple[Account, object]:
    event = decide(TimedCommand(command, NOW), account)
    assert event is not None
    return evolve(account, event), event


def debited(*grants: int, expires_at: datetime | None = None) -> Account:
    account = Account()
    for number, amount in enumerate(grants):
        command = GrantCredits(
            account="ann", amount=amount, kind=GrantKind.PAID, reference=f"r{number}", expires_at=expires_at
        )
        account, _ = after(account, command)
    account, _ = after(account, Debit(account="ann", generation="g1", price=PRICE))
    return account


def settled(account: Account, seconds: float | None) -> tuple[Account, CreditsSettled]:
    account, event = after(account, Settle(account="ann", generation="g1", seconds=seconds))
    assert isinstance(event, CreditsSettled)
    return account, event


def test_the_most_of_all_lengths_is_quoted() -> None:
    assert (PRICE.credits, PRICE.duration) == (75, 12)
    assert dict(PRICE.by_seconds or ()) == {seconds: 50 if seconds <= 10 else 75 for seconds in range(4, 13)}


@pytest.mark.parametrize(
    ("actual", "seconds", "spent"),
    [(5.04, 5, 50), (10.45, 10, 50), (10.7, 11, 75), (12.04, 12, 75), (3.0, 4, 50), (20.0, 12, 75)],
)
def test_the_price_of_the_actual_length_is_spent(actual: float, seconds: int, spent: int) -> None:
    account, event = settled(debited(100), actual)

    assert (event.seconds, event.amount, event.released) == (seconds, spent, 75 - spent or None)
    assert (account.available, account.held) == (100 - spent, 0)
    assert event.balances.available == 100 - spent
    assert account.used_today(ACCOUNT_SCOPE, NOW) == spent


def test_an_unknown_length_costs_the_most() -> None:
    _, event = settled(debited(100), None)

    assert (event.seconds, event.amount, event.released) == (None, 75, None)


def test_what_is_released_goes_to_the_grant_that_was_allocated_last() -> None:
    account, event = settled(debited(60, 40), 5.04)

    assert {number: grant.available for number, grant in account.grants.items()} == {1: 10, 2: 40}
    assert sum(posting.amount for posting in event.postings) == 0


def test_what_is_released_can_be_spent_for_a_day() -> None:
    soon = NOW + timedelta(hours=1)

    account, event = settled(debited(100, expires_at=soon), 5.04)

    assert event.usable_until == NOW + timedelta(days=1)
    assert account.grants[1].usable_until == event.usable_until
    assert account.spendable(soon) == 50


def test_a_chosen_length_changes_nothing() -> None:
    account, _ = after(Account(), GrantCredits(account="ann", amount=100, kind=GrantKind.PAID, reference="r"))
    account, _ = after(account, Debit(account="ann", generation="g1", price=seed_price("720p", 12)))

    _, event = settled(account, 5.04)

    assert (event.seconds, event.amount, event.released) == (None, 75, None)
