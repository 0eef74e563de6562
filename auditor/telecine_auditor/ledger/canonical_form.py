"""Whether an entry is written as credits writes it: the fields that its schema names, in their order, as compact JSON.

What is written otherwise may say the same. A signed entry is what it was when it was signed; of one that no checkpoint
covers yet, the auditor names such differences: another writer, or a newer version of credits, may be the cause.
"""

from collections.abc import Iterator
from functools import cache

from telecine_auditor.sources.message import StoredMessage
from telecine_contracts.catalog import registry
from telecine_contracts.registry import Registry, UnknownEvent, encode

from .header_parser import UnreadableEntry, printable
from .strict_json import parse_strict_json

__all__ = ["describe_deviation"]

_SHOWN = 5


def describe_deviation(entry: StoredMessage) -> str | None:
    """In which way the body is not as credits writes it; None where it is, or cannot be told (older versions)."""
    kind = entry.type or ""
    try:
        written = encode(_events()[kind].model_validate_json(entry.body))
        if written == entry.body:
            return None
        extra = list(_extra(parse_strict_json(entry.body), parse_strict_json(written)))
    except (UnknownEvent, ValueError, UnreadableEntry):
        return None
    if extra:
        more = f" and {len(extra) - _SHOWN} more" if len(extra) > _SHOWN else ""
        return f"has fields that {kind} does not name: {', '.join(map(printable, extra[:_SHOWN]))}{more}"
    return "has its JSON in another order or form than credits writes"


@cache
def _events() -> Registry:
    return registry()


def _extra(found: object, known: object) -> Iterator[str]:
    """Names of fields in `found` that `known`, the same value without them, does not have."""
    if isinstance(found, dict) and isinstance(known, dict):
        for name, value in found.items():
            if name in known:
                yield from _extra(value, known[name])
            else:
                yield name
    elif isinstance(found, list) and isinstance(known, list):
        for value, other in zip(found, known, strict=False):
            yield from _extra(value, other)
