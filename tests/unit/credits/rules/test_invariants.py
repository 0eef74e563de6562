"""Whatever is asked of an account, in whatever order and however often, its ledger balances."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.support.data.ledger_entries import OWNER, price
from tests.support.data.ledger_histories import (
    GENERATIONS,
    NEW,
    execute_history,
    histories,
    time_after,
    totals_by_grant,
)

from telecine_contracts import encode, registry
from telecine_contracts.commands import CloseAccount, GrantCredits, ReopenAccount, SetSpendLimits
from telecine_contracts.credits import (
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    GrantKind,
    LedgerEvent,
    SpendLimitsSet,
)
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import Debit, Refund, Settle, TimedCommand
from telecine_credits.rules.postings import GRACE_PERIOD

SIDES = ("issued", "available", "held", "spent", "expired")
RANK = {GrantKind.PROMOTIONAL: 0, GrantKind.PLAN: 1, GrantKind.PAID: 2}


def states(entries: list[LedgerEvent]) -> list[Account]:
    """The account before each entry."""
    found = [NEW]
    for entry in entries:
        found.append(evolve(found[-1], entry))
    return found


@given(histories)
def test_every_entry_balances_by_itself_and_for_each_grant(history: list[TimedCommand]) -> None:
    entries, _ = execute_history(history)
    for number, entry in enumerate(entries, start=1):
        assert entry.entry == number
        of_grant: Counter[int | None] = Counter()
        for leg in entry.postings:
            of_grant[leg.grant] += leg.amount
        assert not any(of_grant.values())
        assert {leg.account for leg in entry.postings} <= {
            f"{OWNER}:{side}" if side in ("available", "held") else side for side in SIDES
        }


@given(histories)
def test_nothing_is_ever_negative_and_the_balances_are_those_of_the_grants(
    history: list[TimedCommand],
) -> None:
    entries, _ = execute_history(history)
    for count, entry in enumerate(entries, start=1):
        sums = totals_by_grant(entries[:count])
        for side in ("available", "held", "spent", "expired"):
            assert min((grant[side] for grant in sums.values()), default=0) >= 0
        assert entry.balances.available == sum(grant["available"] for grant in sums.values())
        assert entry.balances.held == sum(grant["held"] for grant in sums.values())


@given(histories)
def test_no_grant_gives_more_or_less_than_its_amount(history: list[TimedCommand]) -> None:
    entries, account = execute_history(history)
    sums = totals_by_grant(entries)
    granted = {entry.entry: entry for entry in entries if isinstance(entry, CreditsGranted)}
    assert sums.keys() == granted.keys() == set(account.grants)
    for number, grant in sums.items():
        taken_back = granted[number].amount + grant["issued"]
        assert taken_back >= 0
        whole = grant["available"] + grant["held"] + grant["spent"] + grant["expired"] + taken_back
        assert whole == granted[number].amount
        assert account.grants[number].available == grant["available"]
        assert (number in account.funded) == (grant["available"] > 0)


@given(histories)
def test_a_debit_takes_from_usable_grants_in_their_order(history: list[TimedCommand]) -> None:
    entries, _ = execute_history(history)
    for before, entry in zip(states(entries), entries, strict=False):
        if not isinstance(entry, CreditsDebited):
            continue
        left = entry.amount
        for number in in_order(before, entry.decided_at):
            taken = min(left, before.grants[number].available)
            assert dict(gains(entry)).get(number, 0) == taken
            left -= taken
        assert left == 0


def in_order(account: Account, at: datetime | None) -> list[int]:
    """Grants that can pay at that time."""
    never = datetime.max.replace(tzinfo=UTC)
    assert at is not None
    return sorted(
        (number for number, grant in account.grants.items() if (grant.usable_until or never) > at),
        key=lambda n: (account.grants[n].usable_until or never, RANK[account.grants[n].kind], n),
    )


@given(histories)
def test_credits_expire_only_when_their_time_is_over_and_then_all_that_is_left(
    history: list[TimedCommand],
) -> None:
    entries, _ = execute_history(history)
    for before, entry in zip(states(entries), entries, strict=False):
        if isinstance(entry, CreditsExpired):
            grant = before.grants[entry.grant]
            assert grant.usable_until is not None
            assert entry.decided_at is not None
            assert entry.decided_at >= grant.usable_until
            assert entry.amount == grant.available


@given(histories)
def test_returned_credits_have_a_grace_period(history: list[TimedCommand]) -> None:
    entries, _ = execute_history(history)
    for after, entry in zip(states(entries)[1:], entries, strict=True):
        if isinstance(entry, CreditsRefunded | CreditsAdjusted | CreditsSettled):
            for leg in entry.postings:
                if leg.account != f"{OWNER}:available" or leg.amount < 0:
                    continue
                assert leg.grant is not None
                assert entry.decided_at is not None
                grant = after.grants[leg.grant]
                assert (grant.usable_until is None) == (grant.expires_at is None)
                assert grant.usable_until is None or grant.usable_until >= entry.decided_at + GRACE_PERIOD


@given(histories)
def test_a_generation_is_decided_once_and_ends_once(history: list[TimedCommand]) -> None:
    decisions: dict[str, list[LedgerEvent]] = defaultdict(list)
    ends: dict[str, list[LedgerEvent]] = defaultdict(list)
    for entry in execute_history(history)[0]:
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
            assert end.entry > decision.entry
            released = (end.released or 0) if isinstance(end, CreditsSettled) else 0
            assert end.amount + released == decision.amount
            assert gains(end) == gains(decision)
            if isinstance(end, CreditsSettled) and end.seconds is not None:
                assert (end.seconds, end.amount) in (decision.price.by_seconds or ())


def gains(entry: LedgerEvent) -> Counter[int | None]:
    """What an entry moves, by grant."""
    moved: Counter[int | None] = Counter()
    for leg in entry.postings:
        moved[leg.grant] += max(leg.amount, 0)
    return moved


@given(histories)
def test_a_reference_leads_to_one_entry(history: list[TimedCommand]) -> None:
    entries = execute_history(history)[0]
    used = [entry.reference for entry in entries if isinstance(entry, CreditsGranted | CreditsAdjusted)]
    assert len(used) == len(set(used))


@given(histories)
def test_no_entry_is_corrected_by_more_than_it_moved(history: list[TimedCommand]) -> None:
    entries = execute_history(history)[0]
    corrected: Counter[int] = Counter()
    for entry in entries:
        if isinstance(entry, CreditsAdjusted):
            corrected[entry.corrects] += entry.amount
    for number, amount in corrected.items():
        entry = entries[number - 1]
        assert isinstance(entry, CreditsGranted | CreditsSettled | CreditsExpired)
        assert amount <= entry.amount


@given(histories)
def test_debits_stay_within_the_limits_in_force(history: list[TimedCommand]) -> None:
    entries, _ = execute_history(history)
    limits: dict[str | None, SpendLimitsSet] = {}
    used: Counter[tuple[str | None, date]] = Counter()
    held: dict[str, tuple[CreditsDebited, date]] = {}
    day = date.min
    for entry in entries:
        match entry:
            case SpendLimitsSet():
                limits[entry.api_key] = entry
            case CreditsDebited(decided_at=at) if at is not None:
                day = max(day, at.date())
                held[entry.generation] = entry, day
                for scope in {None, entry.api_key}:
                    used[scope, day] += entry.amount
                    if scope in limits:
                        per_day, per_generation = limits[scope].per_day, limits[scope].per_generation
                        assert per_day is None or used[scope, day] <= per_day
                        assert per_generation is None or entry.amount <= per_generation
            case CreditsRefunded() | CreditsSettled():
                debit, debited_on = held[entry.generation]
                for scope in {None, debit.api_key}:
                    used[scope, debited_on] -= _given_back(entry)


def _given_back(entry: CreditsRefunded | CreditsSettled) -> int:
    return entry.amount if isinstance(entry, CreditsRefunded) else entry.released or 0


@given(histories, st.randoms())
def test_commands_given_again_in_any_order_change_nothing(
    history: list[TimedCommand], chance: Random
) -> None:
    accepted = []
    account = NEW
    for command in history:
        entries, account = execute_history([command], account)
        if entries and not isinstance(
            command.command, CloseAccount | ReopenAccount | SetSpendLimits
        ):  # these ask for a state
            accepted.append(command)
    chance.shuffle(accepted)
    assert execute_history(accepted, account) == ([], account)


@given(histories)
def test_all_credits_are_accounted_for_when_every_generation_fails(history: list[TimedCommand]) -> None:
    entries, account = execute_history(
        command for command in history if not isinstance(command.command, Settle)
    )
    at = time_after(entries)
    refunds = [
        TimedCommand(Refund(account=OWNER, generation=name, reason="deadline"), at) for name in GENERATIONS
    ]
    more, account = execute_history(refunds, account)
    sums = totals_by_grant([*entries, *more])
    assert account.held == 0
    assert sum(grant["spent"] for grant in sums.values()) == 0
    assert account.available == sum(-grant["issued"] - grant["expired"] for grant in sums.values())


@given(histories, st.integers(1, 200))
def test_a_refund_leaves_every_grant_as_it_was_before_the_debit(
    history: list[TimedCommand], credits: int
) -> None:
    lasting = [
        command
        for command in history
        if not isinstance(command.command, GrantCredits) or command.command.expires_at is None
    ]
    entries, account = execute_history(lasting)
    at = time_after(entries)
    debit = TimedCommand(Debit(account=OWNER, generation="new", price=price(credits)), at)
    refund = TimedCommand(Refund(account=OWNER, generation="new", reason="deadline"), at)
    (first, *_), after = execute_history([debit, refund], account)
    assert (after.grants, after.funded) == (account.grants, account.funded)
    assert (after.available, after.held, after.holds) == (account.available, account.held, account.holds)
    if isinstance(first, CreditsDebited):
        assert after.used_today("", at) == account.used_today("", at)


@given(histories)
def test_the_fold_of_the_entries_is_the_account(history: list[TimedCommand]) -> None:
    entries, account = execute_history(history)
    folded, read = NEW, registry()
    for entry in entries:
        folded = evolve(folded, read.decode(entry.type, encode(entry)))
    assert folded == account
