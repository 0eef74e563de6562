"""Rules for debits."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, GrantShares, Hold
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.header_parser import printable
from telecine_auditor.ledger.postings import UNATTRIBUTED, match_transfer, total_amount
from telecine_auditor.ledger.price_tables import describe_clip

from .burn_order import allocate, describe_shares
from .context import RuleContext, ensure_grants, resolve_shares
from .spend_limits import add_usage, exceeded_limits, limit_day

__all__ = ["debited"]


def debited(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """available → held: in burn order, at the frozen price, within the spend limits, once."""
    event = parsed.event
    generation, amount, key = event.generation, event.amount, event.api_key
    price = context.prices.recompute(event.price)
    legs = match_transfer(event.postings, account.available_side, account.held_side)
    account.debits += 1
    day = limit_day(account, parsed.decided_at)
    parts = allocate(account, amount, parsed.decided_at)
    if legs == parts and legs and (legs[0][1] == amount or total_amount(legs) == amount):
        account.names_grants = True
    else:
        parts = _other_payers(context, account, parsed, legs)
        # Spend limits exist since 0.2, and so do postings that name grants: older debits do not count.
        if legs and legs[0][0] == UNATTRIBUTED:
            day = 0
    if generation in account.holds or generation in account.ended:
        _debited_again(context, account, generation)
    if account.closed:
        context.report(BreachKind.CHARGED_WHILE_CLOSED, f"charges {amount} to a closed account", generation)
    if price != amount or event.price.credits != amount:
        _priced_otherwise(context, account, parsed, price)
    if day:
        if account.limits and not account.incomplete:
            for limit in exceeded_limits(account, amount, key, day):
                context.report(BreachKind.LIMIT_PASSED, f"charges {amount}: {limit}", generation)
        add_usage(account, amount, key, day)
    account.hold(parts)
    parsed.parts = parts
    hold = Hold(
        generation,
        amount,
        parts,
        parsed.decided_at,
        parsed.sequence,
        key,
        day,
        lengths=event.price.by_seconds,
    )
    # After a second debit of a generation, the first stays the one that is settled or refunded.
    account.holds.setdefault(generation, hold)


def _priced_otherwise(context: RuleContext, account: Account, parsed: ParsedEvent, price: int | None) -> None:
    amount, frozen = parsed.event.amount, parsed.event.price
    if frozen.credits != amount:
        message = f"charges {amount}, the frozen price is {printable(frozen.credits)}"
    elif price is not None:
        clip = printable(describe_clip(frozen))
        message = f"charges {amount}, table {printable(frozen.table)} says {price or 'nothing'} for {clip}"
    elif context.prices.is_complete:
        message = f"charges {amount} by table {printable(frozen.table)}, which was never published"
    else:
        account.charge_unknown((frozen.table, describe_clip(frozen), amount), parsed.sequence)
        return
    context.report(BreachKind.WRONG_PRICE, message, parsed.event.generation)


def _debited_again(context: RuleContext, account: Account, generation: str) -> None:
    before = account.holds.get(generation) or account.ended[generation]
    what = "denied" if before.outcome == "denied" else "debited"
    context.report(BreachKind.DEBITED_TWICE, f"was already {what} at LEDGER#{before.debited}", generation)


def _other_payers(
    context: RuleContext, account: Account, parsed: ParsedEvent, legs: GrantShares | None
) -> GrantShares:
    """The paying grants, where they are not those of the burn order at that time."""
    amount = parsed.event.amount
    nameless = bool(legs) and legs is not None and legs[0][0] == UNATTRIBUTED
    expected = allocate(account, amount, None if nameless else parsed.decided_at)
    parts = resolve_shares(context, account, parsed, legs, expected)
    if parts is not expected and total_amount(parts) == amount:
        _judge_order(context, account, parsed, parts)
    elif total_amount(expected) < amount and parts is expected and not account.incomplete:
        _overdrawn(context, account, parsed)
    ensure_grants(account, parsed, parts)
    return parts


def _judge_order(context: RuleContext, account: Account, parsed: ParsedEvent, parts: GrantShares) -> None:
    generation, at = parsed.event.generation, parsed.decided_at
    strange = [number for number, _ in parts if number not in account.grants]
    if strange:
        message = f"takes from grant {strange[0]}, which was never granted"
        context.report(BreachKind.GRANT_UNKNOWN, message, generation)
    if strange or account.incomplete:
        return
    payers = [(account.grants[number], amount) for number, amount in parts]
    over = next((grant for grant, _ in payers if not grant.usable(at)), None)
    short = next(((grant, amount) for grant, amount in payers if amount > grant.available), None)
    if over is not None:
        message = f"takes from grant {over.number}, which was usable until {over.usable_until}"
        context.report(BreachKind.GRANT_EXPIRED, message, generation)
    elif total_amount(parts) > account.available:
        _overdrawn(context, account, parsed)
    elif short is not None:
        message = f"takes {short[1]} from grant {short[0].number}, which has {short[0].available} available"
        context.report(BreachKind.GRANT_OVERDRAWN, message, generation)
    else:
        by_rule = describe_shares(allocate(account, parsed.event.amount, at))
        message = f"takes {describe_shares(parts)}; the burn order requires {by_rule}"
        context.report(BreachKind.GRANT_ORDER, message, generation)


def _overdrawn(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    message = f"charges {parsed.event.amount}, the account has {account.available} available"
    context.report(BreachKind.NEGATIVE_BALANCE, message, parsed.event.generation)
