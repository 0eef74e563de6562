"""Writes the generated files: schemas, the AsyncAPI document, example bodies, and released schemas."""

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
    """A change of an event breaks readers of its released version; one line per break."""


def text(value: Any) -> str:
    """JSON as it is committed: indented, with a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """The files that `export` writes: content by path within the contracts folder."""
    schemas = {f"schemas/{event.type}.json": text(schema(event)) for event in EVENTS}
    return {**schemas, "asyncapi.json": text(document())}


def export(folder: Path) -> list[Path]:
    """Write schemas and the AsyncAPI document into the contracts folder; schemas of removed events are deleted."""
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    written = files()
    for old in (folder / "schemas").glob("*.json"):
        if f"schemas/{old.name}" not in written:
            old.unlink()
    for name, content in written.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in written]


def release(folder: Path) -> list[Path]:
    """Record the current schemas as released; later changes that break them make a test fail.

    Raises Incompatible if they break an earlier release already.
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
    """What the schema `now` of event `name` breaks of its released one; empty if it was never released."""
    path = released / f"{name}.json"
    if not path.exists():
        return []
    return [f"{name}: {problem}" for problem in breaks(json.loads(path.read_text(encoding="utf-8")), now)]


def write_examples(folder: Path) -> list[Path]:
    """Write the example body of every event that has no file yet; existing files are never changed."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {folder / f"{event.type}.json": encode(event) for event in EXAMPLES}
    missing = {path: body for path, body in bodies.items() if not path.exists()}
    for path, body in missing.items():
        path.write_bytes(body)
    return list(missing)
