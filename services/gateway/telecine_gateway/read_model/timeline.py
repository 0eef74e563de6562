"""Events as a timeline shows them: briefly, and without prompts, URLs and keys, which would give access."""

import heapq
from collections.abc import Iterable
from typing import Any

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts import Event

__all__ = ["merge_ordered", "public_data", "timeline_event"]

_SHOWN = {
    "generation.requested.v1": ("kind",),
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
    "credits.settled.v1": ("amount",),
    "credits.refunded.v1": ("amount", "reason", "usable_until"),
    "credits.expired.v1": ("grant", "amount"),
    "credits.adjusted.v1": ("corrects", "amount", "reason", "reference", "usable_until"),
    "account.closed.v1": ("reason",),
    "account.reopened.v1": ("reason",),
    "account.limits_set.v1": ("api_key", "per_day", "per_generation"),
    "account.message_skipped.v1": ("reason",),
}


def public_data(event: Event) -> dict[str, Any]:
    """The fields to show, under the API's names; empty if the type says everything."""
    shown = set(_SHOWN.get(event.type, ()))
    values = event.model_dump(mode="json", include=shown, exclude_none=True)
    data = {_camel(name): value for name, value in values.items()}
    if event.type == "generation.requested.v1":
        data |= _request(event)
    if event.stream == "LEDGER":
        data["balances"] = event.model_dump(mode="json", include={"balances"})["balances"]
    return data


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


def _request(event: Event) -> dict[str, Any]:
    values = event.model_dump(
        mode="json", include={"parameters": {"model", "resolution", "duration"}, "price": True}
    )
    return {**values["parameters"], "credits": values["price"]["credits"]}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
