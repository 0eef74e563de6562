"""Report of an audit: as text and as JSON."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from telecine_auditor.breaches import BREACHES, Breach
from telecine_auditor.ledger.header_parser import printable
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.terminal.tables import format_number
from telecine_auditor.transparency.checkpoints import SignedCheckpoint

from .audit import Audit

__all__ = ["as_json", "as_text"]

_LONGEST = 300
_FORMS = 10


def as_text(audit: Audit) -> list[str]:
    """Lines of text."""
    lines = [_verdict(audit), "", *_facts(audit), "", *_balance(audit)]
    if missing := not_checked(audit):
        lines += ["", "Not checked:", *(f"  - {what}" for what in missing)]
    if said := notices(audit):
        lines += ["", "Notices:", *(f"  - {what}" for what in said)]
    if audit.found.count:
        lines += ["", *_breaches(audit)]
    return lines


def as_json(audit: Audit) -> dict[str, Any]:
    """The JSON document of `verify`, without its head."""
    replay, tree, found = audit.replay, audit.tree.frontier, audit.found
    largest = _largest(audit)
    return {
        "holds": not found.count,
        "verdict": _verdict(audit),
        "judged_as_of": audit.as_of.isoformat(),
        "ledger": {
            "entries": replay.entries,
            "replayed_from": audit.started_at + 1,
            "last_sequence": replay.sequence,
            "first_decided_at": _iso(replay.first_at),
            "last_decided_at": _iso(replay.last_at),
            "accounts": len(replay.accounts),
            "unattributed": replay.unattributed,
            "debits_by_unknown_price_tables": _sum(replay, "unknown_tables"),
            "unknown_price_tables": _unknown_tables(replay),
            "restored": replay.clocks.restored,
            "size": tree.size,
            "root": b64encode(tree.root()).decode(),
        },
        "generations": _generations(audit),
        "credits": {
            name: getattr(replay, name) for name in ("issued", "available", "held", "spent", "expired")
        },
        "video": _video(audit),
        "checkpoints": {
            "found": len(audit.known),
            "verified": sum(bool(one.signed_by) for one in audit.tree.confirmed),
            "unsigned": sum(not one.signed_by for one in audit.tree.confirmed),
            "largest": largest and {"size": largest.checkpoint.size, "place": largest.place},
            "entries_since": tree.size - (largest.checkpoint.size if largest else 0),
            "saved_at": audit.saved and audit.saved.checkpoint.size,
        },
        "not_checked": not_checked(audit),
        "notices": notices(audit),
        "breach_count": found.count,
        "breach_kinds": {kind.value: count for kind, count in found.kinds.most_common()},
        "meanings": {kind.value: BREACHES[kind] for kind in found.kinds},
        "breaches": [breach.as_json() for breach in found.kept],
    }


def not_checked(audit: Audit) -> list[str]:
    """What the verdict does not cover."""
    return list(_gaps(audit))


def _gaps(audit: Audit) -> Iterator[str]:
    options, video, known = audit.options, audit.video, len(audit.known)
    if video is None:
        why = "it was left out" if not options.with_video else "the mirror does not have it"
        yield f"generations against VIDEO: {why}"
    elif video.erased:
        yield f"{format_number(video.erased)} charged generations of accounts that were erased from VIDEO"
    if not known:
        yield "whether the ledger was rewritten or cut short: there is no signed checkpoint of it"
    elif not options.keys:
        yield f"signatures of {format_number(known)} checkpoints: name the log's public key with --key"
    if audit.start is not None:
        yield (
            f"the rules for entries up to {format_number(audit.started_at)}: the saved audit has applied them;"
            " the entries are the same"
        )
    if audit.replay.unattributed:
        count = format_number(audit.replay.unattributed)
        yield f"{count} entries from before 0.2 do not name their grants: attributed by the burn order"
    if tables := _unknown_tables(audit.replay):
        count, named = (
            format_number(_sum(audit.replay, "unknown_tables")),
            ", ".join(map(printable, tables[:5])),
        )
        yield f"prices of {count} debits by unknown price tables, {named}: checked only that each clip has one price"
    if restored := audit.replay.clocks.restored:
        yield f"times of {format_number(restored)} restored entries: they have new times of storage"
    yield from audit.unread


def notices(audit: Audit) -> list[str]:
    """Notices, which are not breaches."""
    found = [*audit.notices, *_forms(audit)]
    if audit.options.save is not None and audit.saved is None:
        found.append(
            "nothing was saved: no newer checkpoint that a key of yours signed, or a breach before it"
        )
    return found


def _forms(audit: Audit) -> Iterator[str]:
    """Unsigned entries that are not in canonical form."""
    unsigned = [form for form in audit.replay.deviations or () if form[0] > audit.signed]
    for sequence, difference in unsigned[:_FORMS]:
        yield f"LEDGER#{sequence}, which no signed checkpoint covers, {difference}"
    if len(unsigned) > _FORMS:
        yield f"and {format_number(len(unsigned) - _FORMS)} more such entries"


def _verdict(audit: Audit) -> str:
    count = audit.found.count
    if not count:
        return "NO BREACH IN WHAT WAS CHECKED" if not_checked(audit) else "EVERY CREDIT IS ACCOUNTED FOR"
    return f"{format_number(count)} {'BREACH' if count == 1 else 'BREACHES'}"


def _facts(audit: Audit) -> Iterator[str]:
    replay, of = audit.replay, _generations(audit)
    yield f"  entries      {format_number(replay.entries)}{_span(audit)}"
    yield f"  accounts     {format_number(len(replay.accounts))}"
    yield (
        f"  generations  {format_number(of['charged'])} charged: {format_number(of['settled'])} settled,"
        f" {format_number(of['refunded'])} refunded, {format_number(of['held'])} running;"
        f" {format_number(of['denied'])} denied"
    )
    if video := audit.video:
        more = f"; {format_number(video.in_flight)} ended just now" if video.in_flight else ""
        more += f"; {format_number(video.undecided)} requested and not decided yet" if video.undecided else ""
        done, failed = format_number(video.completed), format_number(video.failed)
        yield f"  videos       {done} completed, {failed} failed or cancelled{more}"
    tree = audit.tree.frontier
    yield f"  tree         {format_number(tree.size)} entries, root {b64encode(tree.root()).decode()}"
    yield f"  checkpoints  {_checkpoints(audit)}"
    yield f"  judged as of {_short(audit.as_of)}"


def _span(audit: Audit) -> str:
    first, last = audit.replay.first_at, audit.replay.last_at
    if first is None or last is None:
        return ""
    return f", to LEDGER#{audit.replay.sequence}, decided {_short(first)} to {_short(last)}"


def _checkpoints(audit: Audit) -> str:
    confirmed = audit.tree.confirmed
    largest = _largest(audit)
    if largest is None:
        return "none" if not audit.known else f"{format_number(len(audit.known))} found, none confirmed"
    signed = {one.signed_by for one in confirmed if one.signed_by}
    by = f"signed by {', '.join(sorted(signed))}" if signed else "signatures not verified"
    size = format_number(largest.checkpoint.size)
    since = audit.tree.frontier.size - largest.checkpoint.size
    more = f"; {format_number(since)} entries since" if since else ""
    return f"{format_number(len(confirmed))} confirmed, the largest over {size} entries ({largest.place}); {by}{more}"


def _largest(audit: Audit) -> SignedCheckpoint | None:
    return max(audit.tree.confirmed, key=lambda one: one.checkpoint.size, default=None)


def _balance(audit: Audit) -> Iterator[str]:
    replay = audit.replay
    figures = {"issued": replay.issued, "= available": replay.available, "+ held": replay.held}
    figures |= {"+ spent": replay.spent, "+ expired": replay.expired}
    width = max(len(format_number(value)) for value in figures.values())
    for name, value in figures.items():
        yield f"  {name:<12} {format_number(value):>{width}}"


def _generations(audit: Audit) -> dict[str, int]:
    outcomes: Counter[str] = Counter(
        held=sum(len(account.holds) for account in audit.replay.accounts.values())
    )
    for account in audit.replay.accounts.values():
        outcomes.update(hold.outcome for hold in account.ended.values())
    found = {name: outcomes[name] for name in ("settled", "refunded", "held", "denied")}
    return {"charged": _sum(audit.replay, "debits")} | found


def _video(audit: Audit) -> dict[str, int] | None:
    if audit.video is None:
        return None
    names = ("entries", "completed", "failed", "in_flight", "undecided", "erased")
    return {name: getattr(audit.video, name) for name in names}


def _breaches(audit: Audit) -> Iterator[str]:
    found = audit.found
    yield "Breaches:"
    yield from (f"  {_line(breach)}" for breach in found.kept)
    if found.count > len(found.kept):
        yield f"  and {format_number(found.count - len(found.kept))} more"
    yield ""
    yield "What they are:"
    for kind, count in found.kinds.most_common():
        yield f"  {format_number(count):>6}  {kind.value}: {BREACHES[kind]}"


def _line(breach: Breach) -> str:
    line = one_line(str(breach))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _unknown_tables(replay: LedgerReplay) -> list[str]:
    return sorted({table for account in replay.accounts.values() for table, *_ in account.unknown_prices})


def _sum(replay: LedgerReplay, name: str) -> int:
    return sum(getattr(account, name) for account in replay.accounts.values())


def _short(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time is not None else None
