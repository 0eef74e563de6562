"""Rules for settlements and refunds: all of the debit, once."""

from collections import Counter

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, GrantShares, Hold
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.postings import UNATTRIBUTED, match_transfer, total_amount

from .burn_order import describe_shares, refund_usable_until, reverse_allocation
from .context import RuleContext, ensure_grants, resolve_shares
from .spend_limits import remove_usage

__all__ = ["refunded", "settled"]

_OTHERWISE = {"settled": BreachKind.WRONG_SETTLEMENT, "refunded": BreachKind.WRONG_REFUND}


def settled(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """held → spent, once: all of the debit, or the credits of the length that the model chose."""
    event = parsed.event
    hold = account.holds.pop(event.generation, None)
    if hold is not None and hold.lengths and (event.seconds is not None or event.released is not None):
        _settled_by_length(context, account, parsed, hold)
        return
    by_length = event.seconds is not None or event.released is not None or event.usable_until is not None
    if hold is not None and by_length:
        message = "is settled by its length, which was not priced"
        context.report(BreachKind.WRONG_SETTLEMENT, message, event.generation)
    legs = match_transfer(event.postings, account.held_side, "spent")
    parts = _parts_of(context, account, parsed, hold, legs)
    account.spend(parts)
    if hold is not None:
        hold.parts = parts
        account.end(hold, "settled", number=parsed.number, sequence=parsed.sequence)


def _settled_by_length(context: RuleContext, account: Account, parsed: ParsedEvent, hold: Hold) -> None:
    """The credits of the actual length are spent; the rest goes back to the grants that were allocated last."""
    event = parsed.event
    price = dict(hold.lengths or ()).get(event.seconds)
    amount = event.amount if 0 < event.amount <= hold.amount else hold.amount
    released = reverse_allocation(hold.parts, 0, hold.amount - amount)
    less = dict(released)
    kept = tuple((number, left) for number, all_of in hold.parts if (left := all_of - less.get(number, 0)))
    if price != event.amount or (event.released or 0) != hold.amount - event.amount:
        message = (
            f"settled of {event.amount} and released of {event.released or 0} for {event.seconds} s, "
            f"the debit of {hold.amount} prices that length at {price or 'nothing'}"
        )
        context.report(BreachKind.WRONG_SETTLEMENT, message, event.generation)
    _check_postings(context, account, parsed, kept, released)
    until = refund_usable_until(account, released, parsed.decided_at) if released else None
    if event.usable_until != until and not account.incomplete:
        said, by_rule = (
            time.isoformat() if time else "their own time" for time in (event.usable_until, until)
        )
        message = f"makes what it releases usable until {said}; the rule requires {by_rule}"
        context.report(BreachKind.WRONG_SETTLEMENT, message, event.generation)
    if event.usable_until is not None:
        account.prolong(released, event.usable_until)
    account.spend(kept)
    account.release(released)
    remove_usage(account, hold.amount - amount, hold.api_key, hold.day)
    hold.parts, hold.seconds, hold.released = kept, event.seconds, hold.amount - amount
    parsed.parts = kept
    account.names_grants = True
    account.end(hold, "settled", number=parsed.number, sequence=parsed.sequence)


def _check_postings(
    context: RuleContext, account: Account, parsed: ParsedEvent, kept: GrantShares, released: GrantShares
) -> None:
    """The postings move `kept` to spent and `released` to available, and nothing else."""
    required = Counter(
        (side, signed, number)
        for target, parts in (("spent", kept), (account.available_side, released))
        for number, amount in parts
        for side, signed in ((account.held_side, -amount), (target, amount))
    )
    if Counter((leg.account, leg.amount, leg.grant) for leg in parsed.event.postings) != required:
        resolve_shares(context, account, parsed, None, kept)


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
