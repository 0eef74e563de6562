"""Rules for adjustments, which correct earlier entries."""

from dataclasses import dataclass
from datetime import datetime

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, Expiry, Grant, GrantShares, Hold
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.postings import match_transfer, total_amount

from .burn_order import describe_shares, refund_usable_until, reverse_allocation
from .context import RuleContext, check_reference, ensure_grants, resolve_shares

__all__ = ["adjusted"]


@dataclass(frozen=True, slots=True)
class _Correction:
    """What an adjustment may do: `left` credits, of the grants in `parts`.

    `of` is what it corrects: the grant, the settled generation, the expiry; None: nothing that can be corrected.
    """

    of: Grant | Hold | Expiry | None
    left: int
    parts: GrantShares


def adjusted(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """Part or all of what an earlier entry moved goes back."""
    event = parsed.event
    claimed = event.usable_until
    allowed = _correction(account, event.corrects, event.amount)
    source, target = _way(account, allowed.of, parsed)
    legs = match_transfer(event.postings, source, target)
    parts = resolve_shares(context, account, parsed, legs, allowed.parts)
    if not account.incomplete:
        _judge(context, parsed, allowed, parts)
    ensure_grants(account, parsed, parts)
    check_reference(context, account, parsed)
    # Credits that are taken back to `issued` do not become usable again.
    until = None if target == "issued" else refund_usable_until(account, parts, parsed.decided_at)
    if claimed != until and not account.incomplete:
        message = f"makes its credits usable until {_when(claimed)}; the rule requires {_when(until)}"
        context.report(BreachKind.WRONG_ADJUSTMENT, message)
    if claimed is not None:
        account.prolong(parts, claimed)
    _apply(account, source, parts)
    if isinstance(allowed.of, Hold | Expiry):
        allowed.of.returned += total_amount(parts)
    parsed.parts = parts


def _correction(account: Account, corrects: int, amount: int) -> _Correction:
    grant = account.grants.get(corrects)
    if grant is not None and grant.known:
        # Spent and held credits of a grant cannot be taken back.
        left = min(grant.available, grant.amount - grant.taken_back)
        return _Correction(grant, left, ((corrects, amount),))
    hold = account.settlement(corrects)
    if hold is not None:
        left = total_amount(hold.parts) - hold.returned
        return _Correction(hold, left, reverse_allocation(hold.parts, hold.returned, amount))
    expiry = account.expiries.get(corrects)
    if expiry is not None:
        return _Correction(expiry, expiry.amount - expiry.returned, ((expiry.grant, amount),))
    return _Correction(None, 0, ())


def _way(account: Account, of: object, parsed: ParsedEvent) -> tuple[str, str]:
    """Source and target of the credits; taken from the postings where the corrected entry does not tell."""
    ways = {
        Grant: (account.available_side, "issued"),
        Hold: ("spent", account.available_side),
        Expiry: ("expired", account.available_side),
    }
    if of is not None:
        return ways[type(of)]
    said = (way for way in ways.values() if match_transfer(parsed.event.postings, *way) is not None)
    return next(said, ways[Grant])


def _judge(context: RuleContext, parsed: ParsedEvent, allowed: _Correction, parts: GrantShares) -> None:
    corrects, amount = parsed.event.corrects, parsed.event.amount
    if allowed.of is None:
        message = f"corrects entry {corrects}, which is not a grant, settlement or expiry of the account"
    elif amount > allowed.left:
        message = f"corrects entry {corrects} by {amount}, at most {allowed.left} may go back"
    elif sorted(parts) != sorted(allowed.parts):
        message = f"moves {describe_shares(parts)}; the rule requires {describe_shares(allowed.parts)}"
    else:
        return
    context.report(BreachKind.WRONG_ADJUSTMENT, message)


def _apply(account: Account, source: str, parts: GrantShares) -> None:
    for number, amount in parts:
        grant = account.grants[number]
        if source == account.available_side:
            account.take(grant, amount)
            grant.taken_back += amount
            account.issued -= amount
            continue
        if source == "spent":
            grant.spent -= amount
            account.spent -= amount
        else:
            grant.expired -= amount
            account.expired -= amount
        account.put(grant, amount)


def _when(time: datetime | None) -> str:
    return time.isoformat() if time else "their own time"
