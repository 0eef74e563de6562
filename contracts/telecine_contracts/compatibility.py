"""Compatibility of schema changes: an event may gain optional fields; anything else needs a new version.

Old events stay in the streams and old readers keep running, so both directions count: old readers must be able to read
new events, and new readers old events.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_WORDS = frozenset({"$schema", "$id", "$defs", "title", "description", "examples"})
_APART = frozenset({"properties", "required", "enum", "items"})


def breaks(old: Schema, new: Schema) -> list[str]:
    """Descriptions of every difference that breaks a reader of the other version; empty if there is none."""
    return list(_compare(_inline(old, old), _inline(new, new), "body"))


def _inline(schema: Any, root: Schema) -> Any:
    """`schema` with its references replaced by what they refer to and its words left out."""
    if isinstance(schema, list):
        return [_inline(part, root) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        target = root["$defs"][str(schema["$ref"]).removeprefix("#/$defs/")]
        return _inline(target, root) | _inline({k: v for k, v in schema.items() if k != "$ref"}, root)
    found = {name: _inline(part, root) for name, part in schema.items() if name not in _WORDS}
    if "properties" in schema:
        found["properties"] = {name: _inline(part, root) for name, part in schema["properties"].items()}
    return found


def _compare(old: Schema, new: Schema, path: str) -> Iterator[str]:
    yield from _fields(old, new, path)
    for value in sorted(set(old.get("enum", [])) - set(new.get("enum", []))):
        yield f"{path}: value {value!r} was removed"
    for value in sorted(set(new.get("enum", [])) - set(old.get("enum", []))):
        yield f"{path}: value {value!r} was added to a closed list"
    if "items" in old and "items" in new:
        yield from _compare(old["items"], new["items"], f"{path}[]")
    for rule in sorted((set(old) | set(new)) - _APART):
        if old.get(rule) != new.get(rule):
            yield f"{path}: {rule} was {old.get(rule, 'absent')!r} and is {new.get(rule, 'absent')!r}"


def _fields(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed_before, needed_after = set(old.get("required", [])), set(new.get("required", []))
    for name in before:
        if name not in after:
            yield f"{path}.{name} was removed"
            continue
        if name in needed_before - needed_after:
            yield f"{path}.{name} was required and is optional"
        if name in needed_after - needed_before:
            yield f"{path}.{name} was optional and is required"
        yield from _compare(before[name], after[name], f"{path}.{name}")
    for name in after:
        if name not in before and name in needed_after:
            yield f"{path}.{name} is new and required"
