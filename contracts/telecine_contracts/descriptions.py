"""One sentence per event, for people: command line, timelines, statements and audit reports. Pure.

A description names neither the account nor the generation, which the caller shows beside it, and contains no prompt,
URL or key. It does contain texts that users and operators wrote: escape it for the medium it is printed on.
"""

from datetime import UTC, datetime

from .access import ApiKeyCreated, ApiKeyRevoked, ApiKeyUsed, RateLimit, RateLimitsSet
from .checkpoints import CheckpointSigned
from .credits import (
    AccountClosed,
    AccountReopened,
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    DenialReason,
    LimitPeriod,
    LimitReached,
    LimitScope,
    MessageSkipped,
    SpendLimitsSet,
)
from .dispatch import CapacityLowered, GenerationDispatched, QueueEntered, QueueLeft
from .erasure import AccountErased
from .gateway import CancelRequested, GenerationRequested
from .generation import (
    CancelDeclined,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationQueued,
    GenerationSubmitted,
    LateResultRecorded,
    SubmissionDeferred,
    SubmissionStarted,
    Usage,
    VideoReady,
)
from .message import Event
from .price_catalog import PricesPublished
from .storage import VideoStorageFailed, VideoStored
from .timestamps import format_timestamp

__all__ = ["describe", "describe_denial", "format_size"]

_KILO = 1000
_DIGEST_CHARACTERS = 12


def describe(event: Event) -> str:
    """What the event says, on one line unless a user's text has line breaks; the type's name for unknown events."""
    groups = (_request, _movement, _correction, _account, _submission, _outcome, _storage, _operation)
    return next((text for group in groups if (text := group(event))), event.type)


def describe_denial(reason: str | None, needed: int, limit: LimitReached | None) -> str:
    """Why a generation was not paid for, for its user; `needed` is its price in credits.

    Unknown reasons, from newer services, read as insufficient credits.
    """
    match reason:
        case DenialReason.ACCOUNT_CLOSED:
            return "The account is closed"
        case DenialReason.GENERATION_ENDED:
            return "The generation ended before it was paid for"
        case DenialReason.SPEND_LIMIT:
            return (
                f"Spend limit reached: {_limit(limit)}, {needed} needed" if limit else "Spend limit reached"
            )
        case _:
            return "Insufficient credits"


def format_size(count: int) -> str:
    """A number of bytes with a decimal unit, e.g. 1.2 MB."""
    if count < _KILO:
        return f"{count} B"
    return f"{count / _KILO:.0f} kB" if count < _KILO**2 else f"{count / _KILO**2:.1f} MB"


def _limit(limit: LimitReached) -> str:
    scope = "this API key" if limit.scope is LimitScope.API_KEY else "the account"
    if limit.per is LimitPeriod.GENERATION:
        return f"{limit.limit} credits per generation for {scope}"
    return f"{limit.limit} credits per day (UTC) for {scope}, {limit.used} used"


def _request(event: Event) -> str:
    match event:
        case GenerationRequested(kind=kind, parameters=video, price=price):
            clip = f"{kind.value}, {video.model}, {video.resolution}, {video.duration} s"
            return f"requested {clip}, for {price.credits} credits"
        case CancelRequested():
            return "cancellation requested"
        case _:
            return ""


def _movement(event: Event) -> str:
    match event:
        case CreditsGranted(amount=amount, kind=kind, reference=reference, reason=reason):
            expiry = f", expires {_time(event.expires_at)}" if event.expires_at else ""
            return f"granted {amount} credits ({kind.value}{expiry}), reference {reference}{_note(reason)}"
        case CreditsDebited(amount=amount):
            return f"debited {amount} credits"
        case CreditsDenied():
            return f"denied ({event.reason.value}): {_denial(event)}"
        case CreditsSettled(amount=amount):
            rest = f", released {event.released}" if event.released else ""
            length = f" for {event.seconds} s" if event.seconds is not None else ""
            return f"settled {amount} credits{length}{rest}"
        case CreditsRefunded(amount=amount, reason=reason):
            return f"refunded {amount} credits ({reason})"
        case CreditsExpired(amount=amount, grant=grant):
            return f"expired {amount} credits of grant {grant}"
        case _:
            return ""


def _denial(event: CreditsDenied) -> str:
    message = describe_denial(event.reason, event.needed, event.limit)
    if event.reason is DenialReason.INSUFFICIENT_CREDITS:
        return f"{message}, {event.needed} needed, {event.available} available"
    return message


def _correction(event: Event) -> str:
    match event:
        case CreditsAdjusted(corrects=corrects, amount=amount, reference=reference, reason=reason):
            return f"adjusted entry {corrects} by {amount} credits, reference {reference}{_note(reason)}"
        case MessageSkipped(skips=sequence, reason=reason):
            return f"skipped message LEDGER#{sequence}{_note(reason)}"
        case _:
            return ""


def _account(event: Event) -> str:
    match event:
        case AccountClosed(reason=reason):
            return f"closed the account{_note(reason)}"
        case AccountReopened(reason=reason):
            return f"reopened the account{_note(reason)}"
        case AccountErased(generations=generations):
            return f"erased the account: {generations} generations"
        case SpendLimitsSet(api_key=api_key, per_day=per_day, per_generation=per_generation):
            owner = f"API key {api_key}" if api_key else "the account"
            limits = {"day": per_day, "generation": per_generation}
            bounds = [
                f"{limit} credits per {period}" for period, limit in limits.items() if limit is not None
            ]
            return f"set limits of {owner}: {', '.join(bounds)}" if bounds else f"removed limits of {owner}"
        case _:
            return ""


def _submission(event: Event) -> str:
    match event:
        case SubmissionStarted(attempt=attempt):
            return f"started submission attempt {attempt}"
        case SubmissionDeferred(attempt=attempt, reason=reason, retry_at=retry_at):
            return f"deferred submission attempt {attempt} ({reason.value}) until {_time(retry_at)}"
        case GenerationSubmitted(provider=provider, provider_task_id=task, adopted=adopted):
            origin = ", found in the provider's task list" if adopted else ""
            return f"submitted to {provider} as task {task}{origin}"
        case GenerationQueued():
            return "queued: the provider has as many tasks as it may have"
        case GenerationProgressed(provider_status=status):
            return f"provider status: {status}"
        case _:
            return ""


def _outcome(event: Event) -> str:
    match event:
        case VideoReady(usage=usage):
            return f"video ready at the provider{_tokens(usage)}"
        case GenerationFailed(code=code, message=message, denial_reason=denial_reason):
            return f"failed ({(denial_reason or code).value}): {message}"
        case GenerationCancelled():
            return "cancelled"
        case CancelDeclined(provider_status=status):
            return f"cancellation declined, provider status: {status}"
        case LateResultRecorded(provider_task_id=task, provider_status=status, usage=usage):
            return f"late result of task {task}, provider status: {status}{_tokens(usage)}"
        case _:
            return ""


def _storage(event: Event) -> str:
    match event:
        case VideoStored(width=width, height=height, duration=duration, sha256=sha256):
            frame = f"{width}×{height}"
            digest = sha256[:_DIGEST_CHARACTERS]
            return f"stored {format_size(event.bytes)}, {frame}, {duration:g} s, sha256 {digest}…"
        case VideoStorageFailed(side=side, stopgap_url=str(), stopgap_expires_at=expires_at):
            expiry = f" until {_time(expires_at)}" if expires_at else ""
            return f"storage failed ({side.value}), served from the provider's URL{expiry}"
        case VideoStorageFailed(side=side, message=message):
            return f"storage failed ({side.value}): {message}"
        case _:
            return ""


def _operation(event: Event) -> str:
    match event:
        case ApiKeyCreated(key_id=key_id, name=name):
            return f"{event.action.removeprefix('key_')} API key {key_id} ({name}){_key_terms(event)}"
        case ApiKeyRevoked(key_id=key_id):
            return f"{event.action.removeprefix('key_')} API key {key_id}"
        case ApiKeyUsed(key_id=key_id, used_at=used_at):
            return f"API key {key_id} was used at {_time(used_at)}"
        case RateLimitsSet(requests=requests, generations=generations):
            return f"set rate limits: requests {_rate(requests)}, videos {_rate(generations)}"
        case PricesPublished(table=table, effective_from=time):
            return f"published price table {table.version}, in force from {format_timestamp(time)}"
        case QueueEntered():
            return "waits for a place at the provider"
        case GenerationDispatched():
            return "got a place at the provider"
        case QueueLeft():
            return "left its place"
        case CapacityLowered(limit=limit, until=until):
            return f"the provider takes no more tasks: {limit} places until {format_timestamp(until)}"
        case CheckpointSigned(log=log, size=size, root=root):
            return f"signed checkpoint of {log}: {size} entries, root {root[:_DIGEST_CHARACTERS]}…"
        case _:
            return ""


def _rate(limit: RateLimit | None) -> str:
    if limit is None:
        return "by default"
    return f"{limit.limit} in {limit.seconds} s" if limit.limit else "without limit"


def _key_terms(key: ApiKeyCreated) -> str:
    listed = f", scopes: {', '.join(key.scopes)}" if key.scopes else ""
    expiry = f", until {_time(key.expires_at)}" if key.expires_at else ""
    return f"{listed}{expiry}, replaces {key.replaces}" if key.replaces else f"{listed}{expiry}"


def _tokens(usage: Usage) -> str:
    return "" if usage.total_tokens is None else f", {usage.total_tokens} tokens"


def _time(at: datetime) -> str:
    # Grants from before 0.2 may have an expiry without a zone; it is meant in UTC.
    return format_timestamp(at.replace(tzinfo=UTC) if at.tzinfo is None else at)


def _note(reason: str) -> str:
    return f": {reason}" if reason else ""
