"""What an event says, in a few words for a person: no prompt, no URL, no key. Pure."""

import unicodedata

from telecine_contracts import Event
from telecine_contracts.access import ApiKeyCreated, ApiKeyRevoked
from telecine_contracts.checkpoints import CheckpointSigned
from telecine_contracts.credits import (
    AccountClosed,
    AccountReopened,
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    LimitReached,
    MessageSkipped,
    SpendLimitsSet,
)
from telecine_contracts.gateway import CancelRequested, GenerationRequested
from telecine_contracts.generation import (
    CancelDeclined,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationSubmitted,
    LateResultRecorded,
    SubmissionDeferred,
    SubmissionStarted,
    VideoReady,
)
from telecine_contracts.storage import VideoStorageFailed, VideoStored

__all__ = ["describe", "format_size", "printable"]

_KILO = 1000


def describe(event: Event) -> str:
    """A short line that is safe to print on a terminal, whatever users or providers wrote into the event."""
    kinds = (_access, _credits, _account, _provider, _video)
    return printable(next((words for kind in kinds if (words := kind(event))), event.type))


def printable(text: str) -> str:
    """`text` on one line, with a dot for every character that could move the cursor or hide others."""
    kept = (c if c == " " or unicodedata.category(c)[0] not in "CZ" else "·" for c in text)
    return "".join(kept)


def format_size(count: int) -> str:
    """A number of bytes as people say it: 1.2 MB."""
    if count < _KILO:
        return f"{count} B"
    return f"{count / _KILO:.0f} kB" if count < _KILO**2 else f"{count / _KILO**2:.1f} MB"


def _access(event: Event) -> str:
    match event:
        case ApiKeyCreated():
            scopes = f", for {' and '.join(event.scopes)}" if event.scopes else ""
            return f"{event.key_id} may act for {event.account} ({event.name}){scopes}"
        case ApiKeyRevoked():
            return f"{event.key_id} stops working"
        case CheckpointSigned():
            return f"{event.size} entries, root {event.root[:12]}…"
        case _:
            return ""


def _credits(event: Event) -> str:
    match event:
        case CreditsGranted():
            return f"{event.amount} credits {event.kind.value}, {event.reference}{_noted(event.reason)}"
        case CreditsDebited():
            return f"{event.amount} credits held, {event.balances.available} left"
        case CreditsDenied():
            limit = f", {_limit(event.limit)}" if event.limit else ""
            return f"{event.reason.value}: needs {event.needed}, has {event.available}{limit}"
        case CreditsSettled():
            return f"{event.amount} credits spent, {event.balances.available} left"
        case CreditsRefunded():
            return f"{event.amount} credits given back ({event.reason}), {event.balances.available} left"
        case CreditsExpired():
            return f"{event.amount} credits of grant {event.grant} expired, {event.balances.available} left"
        case CreditsAdjusted():
            return (
                f"{event.amount} credits of entry {event.corrects} adjusted, "
                f"{event.reference}{_noted(event.reason)}, {event.balances.available} left"
            )
        case _:
            return ""


def _limit(limit: LimitReached) -> str:
    whose = limit.scope.value.replace("_", " ")
    return f"limit of {limit.limit} a {limit.per.value} ({whose}), {limit.used} used"


def _account(event: Event) -> str:
    match event:
        case AccountClosed():
            return f"the account is closed{_noted(event.reason)}"
        case AccountReopened():
            return f"the account is open again{_noted(event.reason)}"
        case SpendLimitsSet():
            limits = {"a day": event.per_day, "a generation": event.per_generation}
            told = [f"{limit} credits {per}" for per, limit in limits.items() if limit is not None]
            whose = event.api_key or "the account"
            return f"{whose} may spend {' and '.join(told)}" if told else f"no limit any more for {whose}"
        case MessageSkipped():
            return f"message LEDGER#{event.skips} is skipped{_noted(event.reason)}"
        case _:
            return ""


def _noted(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _provider(event: Event) -> str:
    match event:
        case SubmissionStarted():
            return f"attempt {event.attempt} claimed"
        case SubmissionDeferred():
            return f"attempt {event.attempt} not accepted ({event.reason.value}), again later"
        case GenerationSubmitted():
            found = " (found in its list)" if event.adopted else ""
            return f"{event.provider} has it as {event.provider_task_id}{found}"
        case GenerationProgressed():
            return f"the provider says {event.provider_status}"
        case LateResultRecorded():
            return f"the provider says {event.provider_status}, after the end"
        case CancelDeclined():
            return f"can't be stopped: the provider says {event.provider_status}"
        case _:
            return ""


def _video(event: Event) -> str:
    match event:
        case GenerationRequested():
            asked = event.parameters
            return (
                f"{event.kind.value}, {asked.resolution}, {asked.duration} s, {event.price.credits} credits"
            )
        case CancelRequested():
            return "the user wants it stopped"
        case VideoReady():
            tokens = event.usage.total_tokens
            return "made by the provider" + (f", {tokens} tokens" if tokens is not None else "")
        case VideoStored():
            frame = f"{event.width}×{event.height}"
            return f"{format_size(event.bytes)}, {frame}, {event.duration:g} s, sha256 {event.sha256[:12]}…"
        case VideoStorageFailed():
            return "kept at the provider for now" if event.stopgap_url else f"lost: {event.message}"
        case GenerationFailed():
            return f"{event.code.value}: {event.message}"
        case GenerationCancelled():
            return "stopped, nothing goes on at the provider"
        case _:
            return ""
