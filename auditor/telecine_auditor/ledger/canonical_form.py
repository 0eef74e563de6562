"""Describes how an entry deviates from the canonical form: the fields of its schema, in order, as compact JSON.

A deviation is not a breach. A signed entry has not changed since it was signed; of entries that no checkpoint covers
yet the report names deviations, because another writer or a newer version of credits may be the cause.
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
    """How the body deviates from the canonical form; None: not at all, or unknown (older versions)."""
    # The contract's own model and encoder are the reference here: the structs of the parser only tell that there is a
    # deviation.
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
    return "has JSON in another order or form than credits writes"


@cache
def _events() -> Registry:
    return registry()


def _extra(found: object, known: object) -> Iterator[str]:
    """Names of fields that `found` has and `known` does not."""
    if isinstance(found, dict) and isinstance(known, dict):
        for name, value in found.items():
            if name in known:
                yield from _extra(value, known[name])
            else:
                yield name
    elif isinstance(found, list) and isinstance(known, list):
        for value, other in zip(found, known, strict=False):
            yield from _extra(value, other)
