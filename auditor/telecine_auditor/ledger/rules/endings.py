"""Rules for settlements and refunds: all of the debit, once."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, GrantShares, Hold
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.postings import UNATTRIBUTED, match_transfer, total_amount

from .burn_order import describe_shares, refund_usable_until
from .context import RuleContext, ensure_grants, resolve_shares
from .spend_limits import remove_usage

__all__ = ["refunded", "settled"]

_OTHERWISE = {"settled": BreachKind.WRONG_SETTLEMENT, "refunded": BreachKind.WRONG_REFUND}


def settled(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """held → spent: all of the debit, once."""
    event = parsed.event
    legs = match_transfer(event.postings, account.held_side, "spent")
    hold = account.holds.pop(event.generation, None)
    parts = _parts_of(context, account, parsed, hold, legs)
    account.spend(parts)
    if hold is not None:
        hold.parts = parts
        account.end(hold, "settled", number=parsed.number, sequence=parsed.sequence)


def refunded(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """held → available: all of the debit, once, each part to the grant that paid."""
    event = parsed.event
    claimed = event.usable_until
    legs = match_transfer(event.postings, account.held_side, account.available_side)
    hold = account.holds.pop(event.generation, None)
    parts = _parts_of(context, account, parsed, hold, legs)
    nameless = legs is not None and legs[0][0] == UNATTRIBUTED
    until = None if nameless else refund_usable_until(account, parts, parsed.decided_at)
    if claimed != until and not account.incomplete and hold is not None:
        said, by_rule = (time.isoformat() if time else "their own time" for time in (claimed, until))
        message = f"makes its credits usable until {said}; the rule requires {by_rule}"
        context.report(BreachKind.WRONG_REFUND, message, event.generation)
    if claimed is not None:
        account.prolong(parts, claimed)
    account.release(parts)
    if hold is not None:
        remove_usage(account, hold.amount, hold.api_key, hold.day)
        account.end(hold, "refunded", number=parsed.number, sequence=parsed.sequence)


def _parts_of(
    context: RuleContext, account: Account, parsed: ParsedEvent, hold: Hold | None, legs: GrantShares | None
) -> GrantShares:
    """The shares that leave the hold: those of the debit, unless the postings state others."""
    if hold is not None and legs == hold.parts and parsed.event.amount == hold.amount:
        account.names_grants = True
        parsed.parts = hold.parts
        return hold.parts
    if hold is None:
        _without_hold(context, account, parsed)
        parts = resolve_shares(context, account, parsed, legs, ())
    else:
        parts = resolve_shares(context, account, parsed, legs, hold.parts)
        _judge(context, parsed, hold, parts)
    ensure_grants(account, parsed, parts)
    parsed.parts = parts
    return parts


def _judge(context: RuleContext, parsed: ParsedEvent, hold: Hold, parts: GrantShares) -> None:
    amount = parsed.event.amount
    if amount != hold.amount:
        message = f"of {amount}, the debit was of {hold.amount}"
    elif parts is not hold.parts and total_amount(parts) == amount:
        message = f"of {describe_shares(parts)}; the debit took {describe_shares(hold.parts)}"
    else:
        return
    context.report(_OTHERWISE[parsed.action], f"{parsed.action} {message}", hold.generation)


def _without_hold(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    generation = parsed.event.generation
    before = account.ended.get(generation)
    if before is not None and before.outcome != "denied":
        twice = before.outcome == parsed.action
        kind = BreachKind.ENDED_TWICE if twice else BreachKind.SETTLED_AND_REFUNDED
        message = f"{parsed.action}, but already {before.outcome} at LEDGER#{before.ended}"
        context.report(kind, message, generation)
    elif not account.incomplete:
        why = "was denied" if before is not None else "was never debited"
        context.report(BreachKind.END_WITHOUT_DEBIT, f"{parsed.action}, but {why}", generation)
