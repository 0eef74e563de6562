"""The auditor has rules of its own: entries written by a mutated rule of credits are reported as breaches.

A mutation puts a wrong function in place of the right one, in every module that uses it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError
from rpds import HashTrieMap
from tests.support.audit.random_histories import Rules, audit_entries, run_history

from telecine_auditor.breaches import BreachKind as K
from telecine_contracts import Event
from telecine_contracts.commands import AdjustCredits, GrantCredits
from telecine_contracts.credits import Balances, CreditsDebited, CreditsRefunded, GrantKind, LedgerEvent
from telecine_contracts.pricing import price_of_length
from telecine_credits.rules import (
    account,
    account_status,
    adjustments,
    burn_order,
    decider,
    grants,
    holds,
    limits,
    postings,
)
from telecine_credits.rules.account import Account, EntryReference, Hold
from telecine_credits.rules.burn_order import GrantShares, SpendableGrant
from telecine_credits.rules.commands import Debit, Expire, Refund
from telecine_credits.rules.errors import LedgerRefused, NotDebited

pytestmark = pytest.mark.slow

HISTORIES, ENOUGH = 600, 12
right_debited, right_allocate, right_grant = account._debited, burn_order.allocate, grants.grant
right_debit, right_refund, right_expire = holds.debit, holds.refund, grants.expire
right_take_back, right_limit_reached = adjustments._take_back, limits.limit_reached
right_price_of_length = price_of_length
right_entry_fields = postings.entry_fields
right_fields_without_postings = postings.entry_fields_without_postings


def keep_hold(state: Account, generation: str) -> Account:
    return replace(state, ended=state.ended.insert(generation))


def debited_without_hold(state: Account, event: CreditsDebited) -> Account:
    return replace(right_debited(state, event), holds=state.holds)


def burn_rank_without_end(number: int, grant: SpendableGrant) -> tuple[bool, datetime, int, int]:
    return grant.usable_until is None, burn_order.NEVER, burn_order.KIND_ORDER[grant.kind], number


def total_twice(shares: GrantShares) -> int:
    return 2 * burn_order.total(shares)


def allocate_all_to_the_first(
    funded: dict[int, SpendableGrant], amount: int, at: datetime | None
) -> GrantShares:
    shares = right_allocate(funded, amount, at)
    return ((shares[0][0], amount),) if shares else ()


def refund_to_the_last_grant(command: Refund, state: Account, at: datetime) -> Event | None:
    event = right_refund(command, state, at)
    if not isinstance(event, CreditsRefunded):
        return event
    hold = state.holds[command.generation]
    sides = f"{command.account}:held", f"{command.account}:available"
    moved = postings.build_postings(((hold.shares[-1][0], hold.amount),), *sides)
    return event.model_copy(update={"postings": moved})


def limit_reached_at_40(command: Debit, state: Account, at: datetime) -> object:
    return right_limit_reached(command, state, at) if command.price.credits == 40 else None


def released_on_any_day(state: Account, hold: Hold, amount: int) -> Account:
    spent = state.spent
    for scope in hold.scopes if hold.day is not None else ():
        day, used = spent[scope]
        spent = spent.insert(scope, (day, used - amount))
    return replace(state, spent=spent)


def debit_with_surcharge(command: Debit, state: Account, at: datetime) -> Event | None:
    dearer = command.price.model_copy(update={"credits": command.price.credits + 1})
    event = right_debit(replace(command, price=dearer), state, at)
    return event.model_copy(update={"price": command.price}) if isinstance(event, CreditsDebited) else event


def debit_of_closed_accounts(command: Debit, state: Account, at: datetime) -> Event | None:
    is_closed = state.is_closed and command.price.credits == 40
    return right_debit(command, replace(state, is_closed=is_closed), at)


def grant_to_closed_accounts(command: GrantCredits, state: Account, at: datetime) -> Event | None:
    return right_grant(command, replace(state, is_closed=False), at)


def grant_without_references(command: GrantCredits, state: Account, at: datetime) -> Event | None:
    references: HashTrieMap[str, EntryReference] = HashTrieMap()
    return right_grant(command, replace(state, references=references), at)


def expire_all_but_one(command: Expire, state: Account, at: datetime) -> Event | None:
    event = right_expire(command, state, at)
    if not isinstance(event, LedgerEvent):
        return event
    shares = ((command.grant, state.grants[command.grant].available - 1),)
    moved = postings.build_postings(shares, f"{command.account}:available", "expired")
    return event.model_copy(update={"postings": moved})


def total_and_100(shares: GrantShares) -> int:
    return burn_order.total(shares) + 100


def take_back_spent_credits(command: AdjustCredits, state: Account, at: datetime) -> Event:
    grant = state.grants.get(command.corrects)
    if grant is not None:
        whole = replace(grant, available=grant.amount)
        state = replace(state, grants=state.grants.insert(command.corrects, whole))
    return right_take_back(command, state, at)


def balances_off_by_one(*given: Any, available: int = 0, held: int = 0) -> dict[str, Any]:
    fields = right_entry_fields(*given, available=available, held=held)
    found: Balances = fields["balances"]
    wrong = found.model_copy(update={"available": found.available + (held > 70)})
    return {**fields, "balances": wrong}


def entry_number_of_the_last(command: Any, state: Account, at: datetime) -> dict[str, Any]:
    return {**right_fields_without_postings(command, state, at), "entry": state.entry}


KINDS_REVERSED = {GrantKind.PROMOTIONAL: 2, GrantKind.PLAN: 1, GrantKind.PAID: 0}


@dataclass(frozen=True)
class Mutation:
    """`wrong` in place of `attribute` of the modules. The first breach found must be one of `breaches`."""

    name: str
    modules: Sequence[ModuleType]
    attribute: str
    wrong: object
    breaches: frozenset[K]


def of(
    name: str, modules: ModuleType | Sequence[ModuleType], attribute: str, wrong: object, *breaches: K
) -> Mutation:
    where = [modules] if isinstance(modules, ModuleType) else modules
    return Mutation(name, where, attribute, wrong, frozenset(breaches))


def always(value: object) -> Callable[..., object]:
    return lambda *_: value


MUTATIONS = (
    of("a hold outlives its end", account, "_released", keep_hold, K.ENDED_TWICE, K.SETTLED_AND_REFUNDED),
    of(
        "a debit leaves no hold",
        account,
        "_debited",
        debited_without_hold,
        K.DEBITED_TWICE,
        K.WRONG_DENIAL,
    ),
    of("kinds burn in reverse order", burn_order, "KIND_ORDER", KINDS_REVERSED, K.GRANT_ORDER),
    of("expiry does not order grants", burn_order, "burn_rank", burn_rank_without_end, K.GRANT_ORDER),
    of(
        "more is debited than is available", holds, "total", total_twice, K.WRONG_SETTLEMENT, K.WRONG_POSTINGS
    ),
    of(
        "one grant pays more than it has",
        account,
        "allocate",
        allocate_all_to_the_first,
        K.GRANT_OVERDRAWN,
        K.NEGATIVE_BALANCE,
    ),
    of(
        "expired grants pay",
        (burn_order, account, grants),
        "is_usable",
        always(True),
        K.GRANT_EXPIRED,
        K.WRONG_DENIAL,
    ),
    of("a refund goes to the last grant", decider, "refund", refund_to_the_last_grant, K.WRONG_REFUND),
    of(
        "returned credits get no grace period",
        (holds, adjustments),
        "extended_usable_until",
        always(None),
        K.WRONG_SETTLEMENT,
        K.WRONG_REFUND,
        K.WRONG_ADJUSTMENT,
    ),
    of(
        "a limit is ignored",
        holds,
        "limit_reached",
        limit_reached_at_40,
        K.LIMIT_PASSED,
        K.WRONG_DENIAL,
    ),
    of(
        "a refund still counts for a limit",
        account,
        "_released_from_limits",
        lambda state, *_: state,
        K.WRONG_DENIAL,
    ),
    of(
        "a shorter clip is settled at the price of the longest",
        holds,
        "price_of_length",
        lambda lengths, seconds: (right_price_of_length(lengths, seconds)[0], lengths[-1][1]),
        K.WRONG_SETTLEMENT,
    ),
    of(
        "a longer clip is settled at the price of the shortest",
        holds,
        "price_of_length",
        lambda lengths, seconds: (right_price_of_length(lengths, seconds)[0], lengths[0][1]),
        K.WRONG_SETTLEMENT,
    ),
    of(
        "a refund counts for the limit of another day",
        account,
        "_released_from_limits",
        released_on_any_day,
        K.WRONG_DENIAL,
        K.LIMIT_PASSED,
    ),
    of(
        "more than the price is debited",
        decider,
        "debit",
        debit_with_surcharge,
        K.WRONG_PRICE,
        K.WRONG_DENIAL,
    ),
    of(
        "closed accounts are debited",
        decider,
        "debit",
        debit_of_closed_accounts,
        K.CHARGED_WHILE_CLOSED,
        K.WRONG_DENIAL,
    ),
    of("closed accounts get grants", decider, "grant", grant_to_closed_accounts, K.CHARGED_WHILE_CLOSED),
    of("a reference grants twice", decider, "grant", grant_without_references, K.REFERENCE_USED_TWICE),
    of("grants expire too early", grants, "is_usable", always(False), K.EXPIRED_EARLY),
    of("all but one credit expires", decider, "expire", expire_all_but_one, K.WRONG_POSTINGS),
    of(
        "more is given back than was settled",
        adjustments,
        "total",
        total_and_100,
        K.WRONG_ADJUSTMENT,
        K.WRONG_POSTINGS,
    ),
    of("credits are given back twice", account, "subtract", lambda shares, _: shares, K.WRONG_ADJUSTMENT),
    of(
        "spent credits are taken back", adjustments, "_take_back", take_back_spent_credits, K.WRONG_ADJUSTMENT
    ),
    of(
        "balances are off by one",
        (holds, grants, adjustments),
        "entry_fields",
        balances_off_by_one,
        K.WRONG_BALANCE,
    ),
    of(
        "an entry number is used twice",
        (holds, limits, account_status, decider),
        "entry_fields_without_postings",
        entry_number_of_the_last,
        K.OUT_OF_ORDER,
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutated_credits_rule_is_detected(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in mutation.modules:
        monkeypatch.setattr(module, mutation.attribute, mutation.wrong)
    rules = Rules(refusals=(LedgerRefused, NotDebited, ValidationError, KeyError))
    chance = Random(20_261_123)  # noqa: S311 - the same histories every time
    first: list[K] = []
    for _ in range(HISTORIES):
        _, found = audit_entries(run_history(chance.randbytes(90), rules).entries)
        first.extend(breach.kind for breach in found[:1])
        if len(first) == ENOUGH:
            break

    assert first, "no breach was found"
    assert set(first) <= mutation.breaches
