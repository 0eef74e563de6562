"""Events as a timeline shows them: briefly, and without prompts, URLs and keys, which would give access."""

import heapq
from collections.abc import Iterable
from functools import cache
from typing import Any

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts import Event
from telecine_contracts.gateway import GenerationRequested

__all__ = ["merge_ordered", "public_data", "timeline_event"]

_SHOWN = {
    "generation.submission_started.v1": ("attempt", "seed", "lease_until"),
    "generation.submission_deferred.v1": ("attempt", "reason", "retry_at", "provider_code"),
    "generation.submitted.v1": ("attempt", "provider", "provider_task_id", "deadline_at", "adopted"),
    "generation.progressed.v1": ("provider_status",),
    "video.ready.v1": ("provider_task_id", "url_expires_at", "resolution", "ratio", "duration", "usage"),
    "generation.failed.v1": ("stage", "code", "message", "provider_code"),
    "generation.cancel_declined.v1": ("provider_status",),
    "generation.late_result.v1": ("provider_task_id", "provider_status", "usage"),
    "video.stored.v1": ("bytes", "sha256", "content_type", "width", "height", "duration"),
    "video.storage_failed.v1": ("side", "message", "stopgap_expires_at"),
    "credits.granted.v1": ("amount", "kind", "reason", "reference", "expires_at"),
    "credits.debited.v1": ("amount", "api_key"),
    "credits.denied.v2": ("reason", "needed", "available", "limit"),
    "credits.settled.v1": ("amount", "seconds", "released", "usable_until"),
    "credits.refunded.v1": ("amount", "reason", "usable_until"),
    "credits.expired.v1": ("grant", "amount"),
    "credits.adjusted.v1": ("corrects", "amount", "reason", "reference", "usable_until"),
    "account.closed.v1": ("reason",),
    "account.reopened.v1": ("reason",),
    "account.limits_set.v1": ("api_key", "per_day", "per_generation"),
    "account.message_skipped.v1": ("reason",),
}


_REQUEST: dict[str, Any] = {
    "kind": True,
    "parameters": {"model": True, "resolution": True, "duration": True},
    "price": {"credits": True},
}


def public_data(event: Event) -> dict[str, Any]:
    """The fields to show, under the API's names; empty if the type says everything."""
    if isinstance(event, GenerationRequested):
        values = event.model_dump(mode="json", include=_REQUEST, exclude_none=True)
        return {"kind": values["kind"], **values["parameters"], "credits": values["price"]["credits"]}
    shown, names = _shown(type(event))
    if not shown:
        return {}
    values = event.model_dump(mode="json", include=shown, exclude_none=True)
    return {api_name: values[name] for name, api_name in names if name in values}


@cache
def _shown(event: type[Event]) -> tuple[set[str], list[tuple[str, str]]]:
    """The fields to show of one type, and each with the API's name in the order of the API."""
    wanted = {*_SHOWN.get(event.type, ()), *(["balances"] if event.stream == "LEDGER" else [])}
    ordered = sorted(filter(wanted.__contains__, event.model_fields), key="balances".__eq__)
    return wanted, [(name, _camel(name)) for name in ordered]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def timeline_event(recorded: RecordedEvent, number: int) -> dict[str, Any]:
    """One event of a timeline; `number` counts within the generation, or within the account's ledger."""
    return {
        "type": recorded.event.type,
        "stream": recorded.event.stream,
        "sequence": number,
        "time": recorded.envelope.time,
        "data": public_data(recorded.event),
    }


def merge_ordered(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The request first, each stream in its own order, and by time between the streams.

    Times come from the clocks of several services, so they order only what nothing else orders.
    """
    ordered = sorted(lines, key=lambda entry: entry["sequence"])
    video = [entry for entry in ordered if entry["stream"] == "VIDEO"]
    ledger = [entry for entry in ordered if entry["stream"] != "VIDEO"]
    return [*video[:1], *heapq.merge(video[1:], ledger, key=lambda entry: entry["time"])]
