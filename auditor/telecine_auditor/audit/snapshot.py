"""Snapshot of an audit at a signed checkpoint, from which the next audit resumes.

The file has lines of JSON: a head with totals and the peaks of the tree, one or more for every account, and the SHA-256
of all lines before. The checkpoint proves which entries the snapshot covers. That its balances follow from them is only
as certain as the file itself, so keep it where others cannot write.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from telecine_auditor.errors import CommandError, InvalidSignature, NoTrustedSignature
from telecine_auditor.ledger.account import Account, Expiry, Grant, Hold, Limits
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.terminal.output_files import new_file
from telecine_auditor.transparency.checkpoints import SignedCheckpoint
from telecine_auditor.transparency.signatures import verify_note
from telecine_contracts.signed_note import BadNote, VerifierKey
from telecine_contracts.transparency import Frontier

__all__ = ["Snapshot", "read_snapshot", "write_snapshot"]

_FORMAT = "telecine-audit state 4"
_AT_ONCE = 1000
_COUNTS = ("entries", "sequence", "unattributed")
_PLAIN = (
    "entry",
    "available",
    "held",
    "issued",
    "spent",
    "expired",
    "closed",
    "names_grants",
    "day",
    "debits",
)
_OWNER_ONLY = 0o600
"""File mode: a snapshot has the accounts, payments and balances."""
_GRANT = ("number", "amount", "kind", "reference", "granted_at", "expires_at", "sequence", "usable_until")
_GRANT_SUMS = ("available", "held", "spent", "expired", "taken_back")
_HOLD = ("generation", "amount", "parts", "since", "debited", "api_key", "day")
_HOLD_END = ("outcome", "ended", "closing", "returned", "lengths", "seconds", "released")


@dataclass(frozen=True)
class Snapshot:
    """State of a saved audit after `checkpoint.checkpoint.size` entries."""

    checkpoint: SignedCheckpoint
    replay: LedgerReplay
    frontier: Frontier


def write_snapshot(
    path: Path, replay: LedgerReplay, frontier: Frontier, checkpoint: SignedCheckpoint
) -> None:
    """Write the snapshot atomically. Raises CommandError."""
    digest = sha256()
    with new_file(path, mode=_OWNER_ONLY) as file:
        for line in _lines(replay, frontier, checkpoint):
            data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
            digest.update(data)
            file.write(data)
        file.write(json.dumps({"sha256": digest.hexdigest()}).encode() + b"\n")


def _lines(
    replay: LedgerReplay, frontier: Frontier, checkpoint: SignedCheckpoint
) -> Iterator[dict[str, Any]]:
    yield {
        "format": _FORMAT,
        "note": checkpoint.note,
        "size": frontier.size,
        "peaks": [b64encode(peak).decode() for peak in frontier.peaks],
        "counts": [getattr(replay, name) for name in _COUNTS],
        "times": [_text(replay.first_at), _text(replay.last_at), _text(replay.clocks.begun_at)],
        "restored": replay.clocks.restored,
    }
    for account in replay.accounts.values():
        yield {
            "account": account.name,
            "plain": [getattr(account, name) for name in _PLAIN],
            "decided_at": _text(account.decided_at),
            "unknown_prices": [[*price, *of] for price, of in account.unknown_prices.items()],
            "references": account.references,
            "limits": [[key, of.per_day, of.per_generation] for key, of in account.limits.items()],
            "used": list(account.used.items()),
            "expiries": [
                [number, of.grant, of.amount, of.returned] for number, of in account.expiries.items()
            ],
        }
        yield from _many(account.name, "grants", map(_grant_row, account.grants.values()))
        yield from _many(account.name, "holds", map(_hold_row, account.holds.values()))
        yield from _many(account.name, "ended", map(_hold_row, account.ended.values()))


def _many(account: str, what: str, rows: Iterator[list[Any]]) -> Iterator[dict[str, Any]]:
    while part := list(islice(rows, _AT_ONCE)):
        yield {"of": account, what: part}


def _grant_row(grant: Grant) -> list[Any]:
    return [_plain(getattr(grant, name)) for name in (*_GRANT, *_GRANT_SUMS)]


def _hold_row(hold: Hold) -> list[Any]:
    return [_plain(getattr(hold, name)) for name in (*_HOLD, *_HOLD_END)]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def read_snapshot(path: Path, keys: Sequence[VerifierKey], replay: LedgerReplay) -> Snapshot:
    """Load a snapshot into the replay, if a trusted key signed its checkpoint.

    Raises CommandError.
    """
    # Without a key the file alone would decide which balances the audit starts from.
    if not keys:
        raise CommandError("--since needs --key: a state is trusted only with a signed checkpoint")
    try:
        _check_digest(path)
        with path.open("rb") as file:
            return _read(path, file.__iter__(), keys, replay)
    except OSError as error:
        raise CommandError(f"cannot read the state {path}: {error.strerror}") from error
    except (BadNote, InvalidSignature, NoTrustedSignature) as error:
        raise CommandError(f"the state {path} is not trusted: {error}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise CommandError(f"{path} is not a state of this version of telecine-audit") from None


def _check_digest(path: Path) -> None:
    digest, last = sha256(), b""
    with path.open("rb") as file:
        for line in file:
            digest.update(last)
            last = line
    if json.loads(last or b"{}") != {"sha256": digest.hexdigest()}:
        raise CommandError(f"the state {path} is damaged: its SHA-256 differs")


def _read(path: Path, lines: Iterator[bytes], keys: Sequence[VerifierKey], replay: LedgerReplay) -> Snapshot:
    head = json.loads(next(lines))
    if head["format"] != _FORMAT:
        raise ValueError(head["format"])
    checkpoint, name = verify_note(head["note"], keys)
    frontier = Frontier(head["size"], [b64decode(peak) for peak in head["peaks"]])
    if (frontier.size, frontier.root()) != (checkpoint.size, checkpoint.root):
        raise CommandError(f"the state {path} does not match its checkpoint")
    for field, value in zip(_COUNTS, head["counts"], strict=True):
        setattr(replay, field, value)
    replay.first_at, replay.last_at, replay.clocks.begun_at = (_time(text) for text in head["times"])
    replay.clocks.restored = head["restored"]
    for line in lines:
        _take_line(replay, json.loads(line))
    signed = SignedCheckpoint(checkpoint, head["note"], name, str(path))
    return Snapshot(signed, replay, frontier)


def _take_line(replay: LedgerReplay, line: dict[str, Any]) -> None:
    if "account" in line:
        account = replay.accounts[line["account"]] = Account(line["account"])
        for field, value in zip(_PLAIN, line["plain"], strict=True):
            setattr(account, field, value)
        replay.names_grants = replay.names_grants or account.names_grants
        account.decided_at = datetime.fromisoformat(line["decided_at"])
        account.unknown_prices = {
            tuple(price): (count, first) for *price, count, first in line["unknown_prices"]
        }
        account.references = line["references"]
        account.limits = {key: Limits(*bounds) for key, *bounds in line["limits"]}
        account.used = dict(line["used"])
        account.expiries = {number: Expiry(*rest) for number, *rest in line["expiries"]}
    elif "of" in line:
        account = replay.accounts[line["of"]]
        for row in line.get("grants", ()):
            account.enter(_grant(row))
        for row in line.get("holds", ()):
            account.holds[row[0]] = _hold(row)
        for row in line.get("ended", ()):
            account.ended[row[0]] = _hold(row)


def _grant(row: list[Any]) -> Grant:
    fields = dict(zip((*_GRANT, *_GRANT_SUMS), row, strict=True))
    for name in ("granted_at", "expires_at", "usable_until"):
        fields[name] = _time(fields[name])
    return Grant(**fields)


def _hold(row: list[Any]) -> Hold:
    fields = dict(zip((*_HOLD, *_HOLD_END), row, strict=True))
    fields["since"] = _time(fields["since"])
    for name in ("parts", "lengths"):
        if fields[name] is not None:
            fields[name] = tuple((first, second) for first, second in fields[name])
    return Hold(**fields)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
