"""Rules for entries that move no credits: closed, reopened, limits set, message skipped."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, Limits
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.postings import describe_imbalance

from .context import RuleContext, generation_of

__all__ = ["closed", "limits_set", "reopened", "require_no_postings", "skipped"]


def closed(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """The account is closed: no charges and grants from now on."""
    require_no_postings(context, parsed)
    if account.closed and not account.incomplete:
        context.report(BreachKind.WRONG_CLOSING, "closes an account that is closed")
    account.closed = True


def reopened(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """The account is open again."""
    require_no_postings(context, parsed)
    if not account.closed and not account.incomplete:
        context.report(BreachKind.WRONG_CLOSING, "reopens an account that is open")
    account.closed = False


def limits_set(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """Replaces the spend limits of the account or the API key."""
    event = parsed.event
    require_no_postings(context, parsed)
    account.limits[event.api_key] = Limits(event.per_day, event.per_generation)


def skipped(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """A message that is not an entry has no meaning; `LedgerReplay` has handled it already."""
    require_no_postings(context, parsed)


def require_no_postings(context: RuleContext, parsed: ParsedEvent) -> None:
    """Check that the entry has no postings."""
    postings = parsed.event.postings
    if not postings:
        return
    generation = generation_of(parsed.event)
    if fault := describe_imbalance(postings):
        context.report(BreachKind.SUM_NOT_ZERO, fault, generation)
    else:
        message = f"has {len(postings)} postings; an entry of this type moves nothing"
        context.report(BreachKind.WRONG_POSTINGS, message, generation)
