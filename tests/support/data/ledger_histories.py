"""Random histories of an account: commands in any order and at any time, and the entries that they lead to."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st
from tests.support.data.ledger_entries import NOW, OWNER, length_prices, price

from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import GrantKind, LedgerEvent
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import Command, Debit, Expire, Refund, Settle, TimedCommand
from telecine_credits.rules.decider import decide
from telecine_credits.rules.errors import LedgerRefused, NotDebited

__all__ = ["GENERATIONS", "NEW", "execute_history", "histories", "time_after", "totals_by_grant"]

NEW = Account()
GENERATIONS = ("g1", "g2", "g3", "g4", "g5", "g6")
HOUR = timedelta(hours=1)

_references = st.sampled_from(("r1", "r2", "r3", "r4", "r5", "r6", "r7"))
_generations = st.sampled_from(GENERATIONS)
_keys = st.sampled_from((None, None, "k1"))
_lifetimes = st.none() | st.integers(1, 80).map(lambda hours: NOW + hours * HOUR)


def _commands_for(
    command: Callable[..., Command], **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Command]:
    return st.builds(partial(command, account=OWNER), **fields)


_grants = _commands_for(
    GrantCredits,
    amount=st.integers(1, 150),
    kind=st.sampled_from(GrantKind),
    reference=_references,
    expires_at=_lifetimes,
)
_prices = st.integers(1, 60).map(price) | st.lists(st.integers(1, 60), min_size=1, max_size=4).map(
    length_prices
)
_debits = _commands_for(Debit, generation=_generations, price=_prices, api_key=_keys)
_refunds = _commands_for(Refund, generation=_generations, reason=st.just("deadline"))
_settlements = _commands_for(Settle, generation=_generations, seconds=st.none() | st.floats(0, 9))
_expiries = _commands_for(Expire, grant=st.integers(1, 4))
_adjustments = _commands_for(
    AdjustCredits, corrects=st.integers(1, 12), amount=st.integers(1, 40), reference=_references
)
_limits = st.none() | st.integers(0, 300)
_limit_changes = _commands_for(SetSpendLimits, api_key=_keys, per_day=_limits, per_generation=_limits)
_weights: dict[st.SearchStrategy[Command], int] = {
    _grants: 3,
    _debits: 9,
    _refunds: 4,
    _settlements: 3,
    _expiries: 3,
    _adjustments: 4,
    _limit_changes: 1,
    _commands_for(CloseAccount): 1,
    _commands_for(ReopenAccount): 2,
}
_weighted = [kind for kind, weight in _weights.items() for _ in range(weight)]
_commands = st.sampled_from(_weighted).flatmap(lambda kind: kind)


def _with_times(steps: Sequence[tuple[Command, int]]) -> list[TimedCommand]:
    """Time goes on by hours, and now and then back a little: replicas' clocks differ."""
    latest, timed = NOW, []
    for command, hours in steps:
        at = latest + hours * HOUR
        latest = max(latest, at)
        if isinstance(command, GrantCredits) and command.expires_at is not None:
            expires_at = at + (command.expires_at - NOW)
            command = command.model_copy(update={"expires_at": expires_at})
        timed.append(TimedCommand(command, at))
    return timed


_steps = st.integers(-2, 10)
histories = st.builds(
    lambda first, then: _with_times([*first, *then]),
    st.lists(st.tuples(_grants, st.just(0)), min_size=2, max_size=4),
    st.lists(st.tuples(_commands, _steps), min_size=15, max_size=40),
)
"""Commands with their times."""


def execute_history(
    history: Iterable[TimedCommand], account: Account = NEW
) -> tuple[list[LedgerEvent], Account]:
    """The entries that a history of commands leads to, refusals left out, and the account after them."""
    entries: list[LedgerEvent] = []
    for command in history:
        try:
            event = decide(command, account)
        except (LedgerRefused, NotDebited):
            continue
        if event is not None:
            assert isinstance(event, LedgerEvent)
            account = evolve(account, event)
            entries.append(event)
    return entries, account


def totals_by_grant(entries: Iterable[LedgerEvent]) -> dict[int, Counter[str]]:
    """By grant and side of the ledger, what the postings add up to."""
    sums: dict[int, Counter[str]] = {}
    for entry in entries:
        for leg in entry.postings:
            assert leg.grant is not None
            sums.setdefault(leg.grant, Counter())[leg.account.rpartition(":")[2]] += leg.amount
    return sums


def time_after(entries: Sequence[LedgerEvent]) -> datetime:
    """A time after all of them were decided."""
    return max((entry.decided_at for entry in entries if entry.decided_at), default=NOW) + HOUR
