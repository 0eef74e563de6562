"""Writes what strangers read: schemas, the AsyncAPI document, example bodies, and the record of what was released."""

import json
from pathlib import Path
from typing import Any

from .asyncapi import document
from .catalog import EVENTS
from .compatibility import breaks
from .examples import EXAMPLES
from .registry import encode
from .schemas import schema

RELEASED = "released"


class Incompatible(Exception):
    """An event changed in a way that readers of its released version would trip over; one line a break."""


def text(value: Any) -> str:
    """JSON as it is committed: indented, readable, ending in a newline."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """Everything that `export` writes: path within the contracts folder, and content."""
    schemas = {f"schemas/{event.type}.json": text(schema(event)) for event in EVENTS}
    return {**schemas, "asyncapi.json": text(document())}


def export(folder: Path) -> list[Path]:
    """Write schemas and the AsyncAPI document into the contracts folder; schemas of events that are gone go too."""
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    written = files()
    for old in (folder / "schemas").glob("*.json"):
        if f"schemas/{old.name}" not in written:
            old.unlink()
    for name, content in written.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in written]


def release(folder: Path) -> list[Path]:
    """Record today's schemas as released. From then on a test refuses any change that breaks them.

    Raises Incompatible when that change has already been made.
    """
    released = folder / "schemas" / RELEASED
    released.mkdir(parents=True, exist_ok=True)
    found = [problem for event in EVENTS for problem in broken(released, event.type, schema(event))]
    if found:
        raise Incompatible("\n".join(found))
    paths = {released / f"{event.type}.json": text(schema(event)) for event in EVENTS}
    for path, content in paths.items():
        path.write_text(content, encoding="utf-8")
    return list(paths)


def broken(released: Path, name: str, now: dict[str, Any]) -> list[str]:
    """What the schema `now` of event `name` breaks of its released one; nothing if it was never released."""
    path = released / f"{name}.json"
    if not path.exists():
        return []
    return [f"{name}: {problem}" for problem in breaks(json.loads(path.read_text(encoding="utf-8")), now)]


def write_examples(folder: Path) -> list[Path]:
    """Write the body of every event's example that has no file yet. Never changes one: it is a record."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {folder / f"{event.type}.json": encode(event) for event in EXAMPLES}
    missing = {path: body for path, body in bodies.items() if not path.exists()}
    for path, body in missing.items():
        path.write_bytes(body)
    return list(missing)
