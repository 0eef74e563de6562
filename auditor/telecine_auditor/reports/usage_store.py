"""The outcome of every generation at the provider and on the ledger, in a temporary SQLite database.

Events of one generation may be far apart in a stream, and a late result comes long after the end: the database joins
them in bounded memory.
"""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from telecine_auditor.ledger.replay import LedgerReplay, ParsedEvent
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.timestamps import to_microseconds

__all__ = ["UsageStore"]

_SCHEMA = """
PRAGMA journal_mode=OFF;
PRAGMA synchronous=OFF;
CREATE TABLE generation (
    account TEXT, id TEXT, at INTEGER, model TEXT, resolution TEXT, duration INTEGER,
    claimed INTEGER, ending TEXT, code TEXT, outcome TEXT, credits INTEGER, returned INTEGER, price TEXT,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE TABLE attempt (
    account TEXT, generation TEXT, number INTEGER, mark TEXT, seed INTEGER, begun INTEGER, closed INTEGER, how TEXT,
    PRIMARY KEY (account, generation, number)
) WITHOUT ROWID;
CREATE TABLE task (
    account TEXT, generation TEXT, id TEXT, how TEXT, status TEXT, tokens INTEGER,
    PRIMARY KEY (account, generation, id)
) WITHOUT ROWID;
BEGIN;
"""
_KEYS = {
    "generation": ("account", "id"),
    "task": ("account", "generation", "id"),
    "attempt": ("account", "generation", "number"),
}
_ENDINGS = frozenset({"ready", "failed", "cancelled"})
_LARGEST = 2**63 - 1

Fields = dict[str, Any]


class UsageStore:
    """Three tables: generations, tasks of the provider, and attempts to submit.

    A `generation` has what was requested, how it ended at the provider (`ending`: ready, failed or cancelled, `code` of
    a failure), its `price` as JSON, and how it ended on the ledger (`outcome`, `credits`, of which `returned` were
    given back by adjustments). A `task` is known from its submission, its video (`how` = ready) or a late result. An
    `attempt` is kept only while the provider may have an unknown task of it: its response was lost (`how` is not null)
    or has not come yet. It has the marks of
    such a task.
    """

    def __init__(self) -> None:
        self.unreadable = 0
        """How many entries of VIDEO could not be read."""
        self._database = sqlite3.connect("", isolation_level=None)  # no name: a private temporary file
        self._database.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def video(self, entry: StoredMessage) -> None:
        """Take the next entry of VIDEO."""
        try:
            _, account, generation, action = entry.subject.split(".")
            self._video((account, generation), action, json.loads(entry.body), entry)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            self.unreadable += 1

    def ledger(self, parsed: ParsedEvent) -> None:
        """Take the next entry of LEDGER: a debit names what was priced, even when VIDEO was erased."""
        if parsed.action == "debited":
            price = parsed.body["price"]
            fields = {
                "at": to_microseconds(parsed.decided_at),
                "resolution": _text(price, "resolution"),
                "duration": _whole(price, "duration"),
                "price": json.dumps(price),
            }
            self._put("generation", (parsed.account, parsed.body["generation"]), fields, over=False)

    def outcomes(self, replay: LedgerReplay) -> None:
        """Take from the replayed accounts, after the last entry, how each generation was paid for."""
        for name, account in replay.accounts.items():
            for holds in (account.holds, account.ended):
                for hold in holds.values():
                    fields = {
                        "outcome": hold.outcome,
                        "credits": hold.amount - hold.released,
                        "returned": hold.returned,
                    }
                    self._put("generation", (name, hold.generation), fields)

    def rows(self, query: str, values: Fields) -> Iterator[tuple[Any, ...]]:
        """The rows of a query."""
        return self._database.execute(query, values)

    def _video(self, key: tuple[str, ...], action: str, body: Fields, entry: StoredMessage) -> None:
        if action == "requested":
            self._put("generation", key, _requested(body) | {"at": to_microseconds(_time(entry))})
        elif action == "submission_started":
            self._put("generation", key, {"claimed": 1})
            self._put("attempt", (*key, _number(body)), _marks(body))
        elif action == "submission_deferred":
            self._close(key, entry, "proven_absent" if body.get("reason") == "proven_absent" else None)
        elif action == "submitted":
            self._put("task", (*key, _task(body)), {"how": "submitted"}, over=False)
            self._close(key, entry, None)
        elif action in ("ready", "late_result"):
            fields = {"how": action, "tokens": _tokens(body), "status": _text(body, "provider_status")}
            self._put("task", (*key, _task(body)), fields)
        if action == "failed":
            unresolved = body.get("code") == "submission_unresolved"
            self._close(key, entry, "submission_unresolved" if unresolved else None)
        if action in _ENDINGS:
            self._put("generation", key, {"ending": action, "code": _text(body, "code")}, over=False)

    def _close(self, key: tuple[str, ...], entry: StoredMessage, how: str | None) -> None:
        """Close the open attempt: its response was lost (`how`), or the provider is known to have a task or none."""
        which = "WHERE account = ? AND generation = ? AND how IS NULL"
        if how is None:
            self._database.execute(f"DELETE FROM attempt {which}", key)  # noqa: S608 - of constants alone
        else:
            closed = to_microseconds(_time(entry))
            self._database.execute(f"UPDATE attempt SET closed = ?, how = ? {which}", (closed, how, *key))  # noqa: S608

    def _put(self, table: str, key: tuple[str | int, ...], fields: Fields, *, over: bool = True) -> None:
        """Write fields of a row; existing values are kept unless `over`."""
        keys = _KEYS[table]
        new, old = ("excluded.{0}", "{1}.{0}") if over else ("{1}.{0}", "excluded.{0}")
        sets = ", ".join(
            f"{name} = coalesce({new.format(name, table)}, {old.format(name, table)})" for name in fields
        )
        names, marks = ", ".join((*keys, *fields)), ", ".join("?" * (len(keys) + len(fields)))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO UPDATE SET {sets}"  # noqa: S608
        self._database.execute(statement, (*key, *fields.values()))


def _requested(body: Fields) -> Fields:
    requested = body["parameters"]
    return {
        "model": _text(requested, "model"),
        "resolution": _text(requested, "resolution"),
        "duration": _whole(requested, "duration"),
        "price": json.dumps({"model": requested.get("model")} | body["price"]),
    }


def _number(body: Fields) -> int:
    number = _whole(body, "attempt")
    if number is None:
        raise ValueError("attempt is missing")
    return number


def _marks(body: Fields) -> Fields:
    """The marks of a task of this attempt at the provider."""
    begun = datetime.fromisoformat(body["started_at"])
    return {
        "mark": _text(body, "safety_identifier"),
        "seed": _whole(body, "seed"),
        "begun": to_microseconds(begun if begun.tzinfo else begun.replace(tzinfo=UTC)),
    }


def _time(entry: StoredMessage) -> datetime:
    time = datetime.fromisoformat(entry.header("ce-time") or "")
    if time.tzinfo is None:
        raise ValueError("a time without zone")
    return time


def _task(body: Fields) -> str:
    task = body["provider_task_id"]
    if not isinstance(task, str):
        raise TypeError("provider_task_id is not text")
    return task


def _tokens(body: Fields) -> int | None:
    return _whole(body["usage"], "total_tokens")


def _whole(fields: Fields, name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError(f"{name} is not a whole number")
    return value


def _text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value
