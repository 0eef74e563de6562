"""The emulator's SQLite database: tasks, journal, clock offset and signing secret."""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .task import CANCELLED_RECORD_SECONDS, RECORD_SECONDS, Task, from_record, to_record

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, status TEXT NOT NULL, model TEXT NOT NULL, tier TEXT NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, listed_from REAL NOT NULL,
    deleted INTEGER NOT NULL, record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS tasks_by_age ON tasks (created_at);
CREATE INDEX IF NOT EXISTS tasks_unfinished ON tasks (status) WHERE status IN ('queued', 'running');
CREATE TABLE IF NOT EXISTS journal (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, action TEXT NOT NULL, task_id TEXT, outcome TEXT NOT NULL,
    body TEXT NOT NULL, headers TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Entry:
    """A create or delete request in the journal; `task_id` is None if no task was created."""

    at: float
    action: str
    task_id: str | None
    outcome: str
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class Page:
    """The filter and the page of a list request."""

    number: int = 1
    size: int = 20
    ids: Sequence[str] = ()
    status: str | None = None
    model: str | None = None
    tier: str = "default"


class Store:
    """Each write is committed when the call returns, so that it survives a killed process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # Survives a killed process; a power loss may lose the last commits, which is acceptable for a test tool.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def transaction(self) -> AbstractContextManager[object]:
        """A transaction for the writes inside the block."""
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def setting(self, name: str, default: str) -> str:
        """The stored value of a setting; stores `default` if there is none."""
        self._db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, default))
        row: tuple[str] = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row[0]

    def save_setting(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def secret(self) -> bytes:
        """The key that signs result URLs; created once per data folder."""
        return bytes.fromhex(self.setting("secret", secrets.token_hex(32)))

    def save(self, task: Task) -> None:
        spec = task.spec
        row = (task.id, task.status, spec.model, spec.service_tier, task.created_at, task.updated_at)
        record = json.dumps(to_record(task), ensure_ascii=False)
        values = (*row, task.listable_from, task.deleted, record)
        # An update keeps the rowid, which orders tasks created within the same instant.
        self._db.execute(
            "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " status = excluded.status, updated_at = excluded.updated_at,"
            " deleted = excluded.deleted, record = excluded.record",
            values,
        )

    def find(self, task_id: str) -> Task | None:
        row = self._db.execute("SELECT record FROM tasks WHERE id = ?", (task_id,)).fetchone()
        return from_record(json.loads(row[0])) if row else None

    def unfinished(self) -> list[Task]:
        return list(self._tasks("status IN ('queued', 'running')", ()))

    def downloadable(self, since: float) -> list[Task]:
        """Tasks that succeeded after `since`, including deleted ones."""
        return list(self._tasks("status = 'succeeded' AND updated_at > ?", (since,)))

    def everything(self) -> list[Task]:
        return list(self._tasks("1", ()))

    def count(self, *statuses: str) -> int:
        marks = ",".join("?" * len(statuses))
        return self._number(f"status IN ({marks})", statuses)

    def page(self, wanted: Page, now: float) -> tuple[int, list[Task]]:
        """The number of visible tasks that match, and the requested page of them, newest first."""
        where, values = _filter(wanted, now)
        ending = "ORDER BY created_at DESC, rowid DESC LIMIT ? OFFSET ?"
        offset = (wanted.number - 1) * wanted.size
        tasks = list(self._tasks(f"{where} {ending}", (*values, wanted.size, offset)))
        return self._number(where, values), tasks

    def append_journal(self, entry: Entry) -> None:
        values = (entry.at, entry.action, entry.task_id, entry.outcome)
        self._db.execute(
            "INSERT INTO journal (at, action, task_id, outcome, body, headers) VALUES (?, ?, ?, ?, ?, ?)",
            (*values, json.dumps(entry.body, ensure_ascii=False), json.dumps(entry.headers)),
        )

    def journal(self) -> list[Entry]:
        """Oldest first."""
        rows = self._db.execute(
            "SELECT at, action, task_id, outcome, body, headers FROM journal ORDER BY number"
        )
        return [
            Entry(at, action, task_id, outcome, json.loads(body), json.loads(headers))
            for at, action, task_id, outcome, body, headers in rows
        ]

    def _tasks(self, where: str, values: Sequence[object]) -> Iterator[Task]:
        if "ORDER BY" not in where:
            where += " ORDER BY created_at, rowid"
        rows = self._db.execute(f"SELECT record FROM tasks WHERE {where}", values)  # noqa: S608 - own text
        return (from_record(json.loads(record)) for (record,) in rows.fetchall())

    def _number(self, where: str, values: Sequence[object]) -> int:
        query = f"SELECT count(*) FROM tasks WHERE {where}"  # noqa: S608 - own text
        row: tuple[int] = self._db.execute(query, values).fetchone()
        return row[0]


def _filter(wanted: Page, now: float) -> tuple[str, tuple[object, ...]]:
    """The WHERE clause of a list request. Ark lists flex tasks only if the filter names the tier."""
    parts: list[tuple[str, tuple[object, ...]]] = [
        ("deleted = 0 AND listed_from <= ?", (now,)),
        ("created_at > ?", (now - RECORD_SECONDS,)),
        ("(status != 'cancelled' OR updated_at > ?)", (now - CANCELLED_RECORD_SECONDS,)),
        ("tier = ?", (wanted.tier,)),
    ]
    if wanted.ids:
        parts.append((f"id IN ({','.join('?' * len(wanted.ids))})", tuple(wanted.ids)))
    if wanted.status:
        parts.append(("status = ?", (wanted.status,)))
    if wanted.model:
        parts.append(("model = ?", (wanted.model,)))
    return " AND ".join(text for text, _ in parts), tuple(v for _, values in parts for v in values)
