"""Whatever is asked of an account, in whatever order and however often, its ledger balances."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from telecine_contracts.credits import (
    CreditsDebited,
    CreditsDenied,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    GrantKind,
    LedgerEvent,
)
from telecine_contracts.pricing import Price
from telecine_credits.domain import (
    Account,
    Command,
    Debit,
    Grant,
    GrantRefused,
    NotDebited,
    Refund,
    Settle,
    decide,
    evolve,
)

NEW = Account()
GENERATIONS = ("g1", "g2", "g3", "g4")


def price(credits: int) -> Price:
    return Price(credits=credits, table="2026-11", resolution="720p", duration=5)


references = st.sampled_from(("r1", "r2", "r3"))
generations = st.sampled_from(GENERATIONS)
commands = st.one_of(
    st.builds(Grant, st.just("ann"), st.integers(-1, 120), st.just(GrantKind.PAID), references),
    st.builds(Debit, st.just("ann"), generations, st.integers(1, 90).map(price)),
    st.builds(Settle, st.just("ann"), generations),
    st.builds(Refund, st.just("ann"), generations, st.just("deadline")),
)
histories = st.lists(commands, min_size=10, max_size=40)


def carried_out(history: Iterable[Command], account: Account = NEW) -> tuple[list[LedgerEvent], Account]:
    """The entries that a history of commands leads to, refusals left out."""
    entries: list[LedgerEvent] = []
    for command in history:
        try:
            event = decide(command, account)
        except (GrantRefused, NotDebited):
            continue
        if event is not None:
            assert isinstance(event, LedgerEvent)
            account = evolve(account, event)
            entries.append(event)
    return entries, account


@given(histories)
def test_every_entry_balances_and_so_does_the_whole(history: list[Command]) -> None:
    entries, account = carried_out(history)
    totals: Counter[str] = Counter()
    for number, entry in enumerate(entries, start=1):
        assert entry.entry == number
        assert sum(posting.amount for posting in entry.postings) == 0
        for posting in entry.postings:
            totals[posting.account] += posting.amount
        assert (totals["ann:available"], totals["ann:held"]) == (
            entry.balances.available,
            entry.balances.held,
        )
        assert min(totals["ann:available"], totals["ann:held"]) >= 0
        assert sum(totals.values()) == 0
        assert set(totals) <= {"issued", "spent", "ann:available", "ann:held"}
    assert (account.available, account.held) == (totals["ann:available"], totals["ann:held"])
    assert account.held == sum(account.holds.values())


@given(histories)
def test_a_generation_is_decided_once_and_ends_once(history: list[Command]) -> None:
    decisions: dict[str, list[LedgerEvent]] = defaultdict(list)
    ends: dict[str, list[LedgerEvent]] = defaultdict(list)
    for entry in carried_out(history)[0]:
        if isinstance(entry, CreditsDebited | CreditsDenied):
            decisions[entry.generation].append(entry)
        if isinstance(entry, CreditsSettled | CreditsRefunded):
            ends[entry.generation].append(entry)
    for generation in decisions | ends:
        (decision,), after = decisions[generation], ends[generation]
        assert len(after) <= 1
        for end in after:
            assert isinstance(decision, CreditsDebited)
            assert isinstance(end, CreditsSettled | CreditsRefunded)
            assert end.amount == decision.amount
            assert end.entry > decision.entry


@given(histories)
def test_a_reference_is_granted_once(history: list[Command]) -> None:
    granted = [entry.reference for entry in carried_out(history)[0] if isinstance(entry, CreditsGranted)]
    assert len(granted) == len(set(granted))


@given(histories, st.randoms())
def test_commands_given_again_in_any_order_change_nothing(history: list[Command], chance: Random) -> None:
    accepted = []
    account = NEW
    for command in history:
        entries, account = carried_out([command], account)
        accepted += [command] * len(entries)
    chance.shuffle(accepted)
    assert carried_out(accepted, account) == ([], account)


@given(histories)
def test_all_credits_come_back_when_every_generation_fails(history: list[Command]) -> None:
    entries, account = carried_out(command for command in history if not isinstance(command, Settle))
    more, account = carried_out([Refund("ann", name, "deadline") for name in GENERATIONS], account)
    issued = sum(entry.amount for entry in [*entries, *more] if isinstance(entry, CreditsGranted))
    assert (account.available, account.held) == (issued, 0)


@given(histories)
def test_the_fold_of_the_entries_is_the_account(history: list[Command]) -> None:
    entries, account = carried_out(history)
    folded = NEW
    for entry in entries:
        folded = evolve(folded, entry)
    assert folded == account
