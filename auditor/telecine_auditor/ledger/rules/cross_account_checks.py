"""Checks across accounts: generations of two accounts, and differing prices of one table."""

from collections.abc import Iterable, Iterator

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.account import Account, Hold
from telecine_auditor.ledger.header_parser import printable

__all__ = ["differing_prices", "shared_generations"]


def shared_generations(accounts: Iterable[Account]) -> Iterator[Breach]:
    """Generations that are charged to one account and charged or denied to another."""
    accounts = list(accounts)
    seen: set[str] = set()
    shared: set[str] = set()
    for account in accounts:
        for generations in (account.holds, account.ended):
            shared.update(seen.intersection(generations))
            seen.update(generations)
    for generation in sorted(shared):
        of = [(account, hold) for account in accounts if (hold := _of(account, generation)) is not None]
        (first, told), *others = sorted(of, key=lambda one: one[1].debited)
        for account, hold in others:
            if "denied" not in (hold.outcome, told.outcome) or hold.outcome != told.outcome:
                message = f"{_what(hold)} to {account.name}, and {_what(told)} to {first.name} at LEDGER#{told.debited}"
                yield Breach(
                    BreachKind.TWO_ACCOUNTS,
                    message,
                    sequence=hold.debited,
                    account=account.name,
                    generation=generation,
                )


def differing_prices(accounts: Iterable[Account]) -> Iterator[Breach]:
    """Debits by an unknown price table that charge another price for a clip than an earlier debit."""
    found = sorted(
        (sequence, account.name, (table, clip), credits)
        for account in accounts
        for (table, clip, credits), (_, sequence) in account.unknown_prices.items()
    )
    prices: dict[tuple[str, str], dict[int, int]] = {}
    for sequence, account, priced, credits in found:
        known = prices.setdefault(priced, {})
        if known and credits not in known:
            table, clip = priced
            price, before = next(iter(known.items()))
            what = f"charges {credits} by table {printable(table)} for {printable(clip)}"
            message = f"{what}, it was {price} at LEDGER#{before}"
            yield Breach(BreachKind.WRONG_PRICE, message, sequence=sequence, account=account)
        known.setdefault(credits, sequence)


def _of(account: Account, generation: str) -> Hold | None:
    return account.holds.get(generation) or account.ended.get(generation)


def _what(hold: Hold) -> str:
    return "denied" if hold.outcome == "denied" else "charged"
