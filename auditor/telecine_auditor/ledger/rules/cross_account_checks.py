"""What can only be seen with all accounts side by side: generations of two of them, and prices that differ."""

from collections.abc import Iterable, Iterator

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.account import AccountBook, HoldBook
from telecine_auditor.ledger.header_parser import shown

__all__ = ["differing_prices", "shared_generations"]


def shared_generations(accounts: Iterable[AccountBook]) -> Iterator[Breach]:
    """Generations that are charged to one account and charged or denied to another."""
    books = list(accounts)
    seen: set[str] = set()
    shared: set[str] = set()
    for book in books:
        for generations in (book.holds, book.ended):
            shared.update(seen.intersection(generations))
            seen.update(generations)
    for generation in sorted(shared):
        of = [(book, hold) for book in books if (hold := _of(book, generation)) is not None]
        (first, told), *others = sorted(of, key=lambda one: one[1].debited)
        for book, hold in others:
            if "denied" not in (hold.outcome, told.outcome) or hold.outcome != told.outcome:
                says = f"{_what(hold)} to {book.name}, and {_what(told)} to {first.name} at LEDGER#{told.debited}"
                yield Breach(
                    BreachKind.TWO_ACCOUNTS,
                    says,
                    sequence=hold.debited,
                    account=book.name,
                    generation=generation,
                )


def differing_prices(accounts: Iterable[AccountBook]) -> Iterator[Breach]:
    """Debits by a price table that is not known here, where the same clip cost something else before."""
    found = sorted(
        (sequence, book.name, (table, resolution, duration), credits)
        for book in accounts
        for (table, resolution, duration, credits), (_, sequence) in book.unknown_prices.items()
    )
    prices: dict[tuple[str, str, int], dict[int, int]] = {}
    for sequence, account, clip, credits in found:
        known = prices.setdefault(clip, {})
        if known and credits not in known:
            table, resolution, duration = clip
            price, before = next(iter(known.items()))
            what = f"charges {credits} by table {shown(table)} for {shown(resolution)} for {duration} s"
            says = f"{what}, it was {price} at LEDGER#{before}"
            yield Breach(BreachKind.WRONG_PRICE, says, sequence=sequence, account=account)
        known.setdefault(credits, sequence)


def _of(book: AccountBook, generation: str) -> HoldBook | None:
    return book.holds.get(generation) or book.ended.get(generation)


def _what(hold: HoldBook) -> str:
    return "denied" if hold.outcome == "denied" else "charged"
