"""Rules for grants and their expiry."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, Expiry, Grant, GrantShares
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.events import MAX_CREDITS
from telecine_auditor.ledger.postings import match_transfer, total_amount

from .burn_order import describe_shares
from .context import RuleContext, check_reference, ensure_grants, resolve_shares

__all__ = ["expired", "granted"]


def granted(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """issued → available: a new grant with a unique reference, to an open account."""
    grant = _new_grant(parsed)
    legs = match_transfer(parsed.event.postings, "issued", account.available_side)
    parts = ((parsed.number, grant.amount),)
    _be_of(context, parsed, resolve_shares(context, account, parsed, legs, parts), parts)
    if account.closed:
        context.report(BreachKind.CHARGED_WHILE_CLOSED, f"grants {grant.amount} to a closed account")
    check_reference(context, account, parsed)
    parsed.parts = parts
    _enter(account, grant)
    if account.available > MAX_CREDITS:
        context.report(BreachKind.WRONG_BALANCE, f"{account.available} available, more than 2^53-1")


def _be_of(context: RuleContext, parsed: ParsedEvent, said: GrantShares, parts: GrantShares) -> None:
    if said != parts and total_amount(said) == parsed.event.amount:
        context.report(
            BreachKind.WRONG_POSTINGS, f"moves {describe_shares(said)}, not {describe_shares(parts)}"
        )


def _new_grant(parsed: ParsedEvent) -> Grant:
    event = parsed.event
    return Grant(
        number=parsed.number,
        amount=event.amount,
        kind=event.kind,
        reference=event.reference,
        granted_at=parsed.decided_at,
        expires_at=event.expires_at,
        sequence=parsed.sequence,
        usable_until=event.expires_at,
    )


def _enter(account: Account, grant: Grant) -> None:
    """Add the grant. Where its number exists already, by a copy or an entry that named it before, the two are one."""
    # A debit that named the grant before it was granted is a breach already; its credits must not be lost here.
    before = account.grants.get(grant.number)
    amount = grant.amount
    if before is not None:
        before.amount += amount
        grant = before
    else:
        account.grants[grant.number] = grant
    account.put(grant, amount)
    account.issued += amount


def expired(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """available → expired: all available credits of a grant that has expired."""
    event = parsed.event
    number, amount = event.grant, event.amount
    parts: GrantShares = ((number, amount),)
    legs = match_transfer(event.postings, account.available_side, "expired")
    _be_of(context, parsed, resolve_shares(context, account, parsed, legs, parts), parts)
    if ensure_grants(account, parsed, parts):
        context.report(BreachKind.GRANT_UNKNOWN, f"grant {number} expires, which was never granted")
    grant = account.grants[number]
    if not account.incomplete:
        _judge_expiry(context, grant, parsed)
    account.take(grant, amount)
    grant.expired += amount
    account.expired += amount
    account.expiries[parsed.number] = Expiry(number, amount)
    parsed.parts = parts


def _judge_expiry(context: RuleContext, grant: Grant, parsed: ParsedEvent) -> None:
    amount, until = parsed.event.amount, grant.usable_until
    if grant.usable(parsed.decided_at):
        message = f"grant {grant.number} expires at {parsed.decided_at}, it is usable until {until or 'ever'}"
        context.report(BreachKind.EXPIRED_EARLY, message)
    elif amount > grant.available:
        message = f"{amount} of grant {grant.number} expire, it has {grant.available} available"
        context.report(BreachKind.GRANT_OVERDRAWN, message)
    elif amount < grant.available:
        message = (
            f"{amount} of grant {grant.number} expire, not all of the {grant.available} that it has available"
        )
        context.report(BreachKind.WRONG_POSTINGS, message)
