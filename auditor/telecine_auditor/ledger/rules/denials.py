"""Rules for denials: the reason and the figures must be true."""

from collections.abc import Iterator

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, Hold, Limits
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.events import MAX_CREDITS, CreditsDenied, LimitReached

from .accounts import require_no_postings
from .burn_order import spendable_credits
from .context import RuleContext
from .spend_limits import exceeded_limits, limit_day, used_on_day

__all__ = ["denied"]


def denied(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """A generation was not paid for, and no earlier decision is about it."""
    denial = parsed.event
    generation = denial.generation
    require_no_postings(context, parsed)
    before = account.holds.get(generation) or account.ended.get(generation)
    if before is not None:
        message = f"denied, but already {before.outcome} at LEDGER#{before.ended or before.debited}"
        context.report(BreachKind.WRONG_DENIAL, message, generation)
        return
    if not account.incomplete:
        for message in _false_in(account, parsed, denial):
            context.report(BreachKind.WRONG_DENIAL, message, generation)
    account.ended[generation] = Hold(
        generation,
        denial.needed,
        (),
        parsed.decided_at,
        parsed.sequence,
        outcome="denied",
        ended=parsed.sequence,
    )


def _false_in(account: Account, parsed: ParsedEvent, denial: CreditsDenied) -> Iterator[str]:
    """Every false statement of the denial."""
    dated = parsed.dated
    could = spendable_credits(account, parsed.decided_at) if dated else account.available
    if denial.available != could:
        yield f"states {denial.available} available, {could} could be spent"
    if denial.reason == "generation_ended":
        if denial.needed and dated:
            yield f"states {denial.needed} needed, a generation that has ended needs none"
        return
    if account.closed != (denial.reason == "account_closed"):
        yield "the account was closed" if account.closed else "the account was not closed"
    if denial.reason == "spend_limit":
        yield from _false_limit(account, parsed, denial)
    elif denial.reason == "insufficient_credits":
        if denial.needed <= could:
            yield f"needed {denial.needed}, and {could} could be spent"
        day = limit_day(account, parsed.decided_at)
        for limit in exceeded_limits(account, denial.needed, None, day) if dated else ():
            yield f"the reason is a limit: {limit}"


def _false_limit(account: Account, parsed: ParsedEvent, denial: CreditsDenied) -> Iterator[str]:
    """Compares with the limits of all API keys, because a denial does not name the key."""
    if denial.limit is None:
        yield "does not name the limit that was reached"
        return
    day = limit_day(account, parsed.decided_at)
    of_account = denial.limit.scope == "account"
    candidates = ((key, bounds) for key, bounds in account.limits.items() if (key is None) == of_account)
    if not any(
        _is_reached(denial.limit, denial.needed, bounds, used_on_day(account, key, day))
        for key, bounds in candidates
    ):
        said = denial.limit
        yield f"no limit of {said.limit} a {said.per} ({said.scope}, {said.used} used) was reached by {denial.needed}"


def _is_reached(said: LimitReached, needed: int, bounds: Limits, used: int) -> bool:
    if said.per == "generation":
        return bounds.per_generation == said.limit < needed
    return bounds.per_day == said.limit and said.used == min(used, MAX_CREDITS) and used + needed > said.limit
