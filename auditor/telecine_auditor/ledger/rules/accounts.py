"""What must hold for entries that move nothing: closing, reopening, limits."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, Limits
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.postings import describe_imbalance

from .context import RuleContext, generation_of

__all__ = ["closed", "limits_set", "reopened", "require_no_postings", "skipped"]


def closed(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """Nothing is charged or granted from now on."""
    require_no_postings(context, parsed)
    if account.closed and not account.incomplete:
        context.report(BreachKind.WRONG_CLOSING, "closes an account that is closed")
    account.closed = True


def reopened(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """As before it was closed."""
    require_no_postings(context, parsed)
    if not account.closed and not account.incomplete:
        context.report(BreachKind.WRONG_CLOSING, "reopens an account that is open")
    account.closed = False


def limits_set(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """Bounds on debits from now on, in place of those for the same."""
    event = parsed.event
    require_no_postings(context, parsed)
    account.limits[event.api_key] = Limits(event.per_day, event.per_generation)


def skipped(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """A message that is not an entry means nothing; the books have passed over it already (`Books.skipped`)."""
    require_no_postings(context, parsed)


def require_no_postings(context: RuleContext, parsed: ParsedEvent) -> None:
    """Check that the entry has no postings."""
    legs = parsed.event.postings
    if not legs:
        return
    generation = generation_of(parsed.event)
    if fault := describe_imbalance(legs):
        context.report(BreachKind.SUM_NOT_ZERO, fault, generation)
    else:
        message = f"has {len(legs)} postings; an entry of this kind moves nothing"
        context.report(BreachKind.WRONG_POSTINGS, message, generation)
