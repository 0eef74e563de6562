"""What must hold for denials: the reason is true, and so are the figures."""

from collections.abc import Iterator

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import AccountBook, HoldBook, Limits
from telecine_auditor.ledger.event_parser import Reading
from telecine_auditor.ledger.events import MAX_CREDITS, CreditsDenied, LimitReached

from .accounts import moves_nothing
from .burn_order import spendable
from .context import Findings
from .spend_limits import counted_day, limits_passed, used_on

__all__ = ["denied"]


def denied(books: Findings, book: AccountBook, reading: Reading) -> None:
    """A generation was not paid for, and nothing was decided about it before."""
    denial = reading.event
    generation = denial.generation
    moves_nothing(books, reading)
    before = book.holds.get(generation) or book.ended.get(generation)
    if before is not None:
        says = f"denied, and was {before.outcome} before at LEDGER#{before.ended or before.debited}"
        books.found(BreachKind.WRONG_DENIAL, says, generation)
        return
    if not book.doubtful:
        for says in _false_in(book, reading, denial):
            books.found(BreachKind.WRONG_DENIAL, says, generation)
    book.ended[generation] = HoldBook(
        generation,
        denial.needed,
        (),
        reading.decided_at,
        reading.sequence,
        outcome="denied",
        ended=reading.sequence,
    )


def _false_in(book: AccountBook, reading: Reading, denial: CreditsDenied) -> Iterator[str]:
    """Everything that the denial says and that is not so."""
    dated = reading.dated
    could = spendable(book, reading.decided_at) if dated else book.available
    if denial.available != could:
        yield f"says that {denial.available} could be spent, it was {could}"
    if denial.reason == "generation_ended":
        if denial.needed and dated:
            yield f"says that {denial.needed} were needed; a generation that has ended needs none"
        return
    if book.closed != (denial.reason == "account_closed"):
        yield "the account was closed" if book.closed else "the account was not closed"
    if denial.reason == "spend_limit":
        yield from _false_limit(book, reading, denial)
    elif denial.reason == "insufficient_credits":
        if denial.needed <= could:
            yield f"needed {denial.needed}, and {could} could be spent"
        day = counted_day(book, reading.decided_at)
        for limit in limits_passed(book, denial.needed, None, day) if dated else ():
            yield f"the reason is a limit: {limit}"


def _false_limit(book: AccountBook, reading: Reading, denial: CreditsDenied) -> Iterator[str]:
    """A denial does not say which API key it was: the limit of any may be meant."""
    if denial.limit is None:
        yield "does not say which limit was reached"
        return
    day = counted_day(book, reading.decided_at)
    of_account = denial.limit.scope == "account"
    candidates = ((key, bounds) for key, bounds in book.limits.items() if (key is None) == of_account)
    if not any(
        _is_reached(denial.limit, denial.needed, bounds, used_on(book, key, day))
        for key, bounds in candidates
    ):
        said = denial.limit
        yield f"no limit of {said.limit} a {said.per} ({said.scope}, {said.used} used) was reached by {denial.needed}"


def _is_reached(said: LimitReached, needed: int, bounds: Limits, used: int) -> bool:
    if said.per == "generation":
        return bounds.per_generation == said.limit < needed
    return bounds.per_day == said.limit and said.used == min(used, MAX_CREDITS) and used + needed > said.limit
