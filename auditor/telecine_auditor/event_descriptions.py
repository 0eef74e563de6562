"""What an entry did, in words."""

from collections.abc import Callable
from typing import Any

__all__ = ["in_words"]

Body = dict[str, Any]


def in_words(action: str, body: Body) -> str:
    """What the event `body`, whose subject ends in `action`, did.

    Users' texts are in it as they are: where it is shown, `safe_text` makes it safe.
    """
    return _WORDS.get(action, _unknown(action))(body)


def _unknown(action: str) -> Callable[[Body], str]:
    return lambda body: action.replace("_", " ")


def _granted(body: Body) -> str:
    until = f", until {body['expires_at']}" if body.get("expires_at") else ""
    return f"granted {_of(body, 'amount')} ({_of(body, 'kind')}{until}), reference {_of(body, 'reference')}{_why(body)}"


def _debited(body: Body) -> str:
    return f"debited {_of(body, 'amount')} for generation {_of(body, 'generation')}"


def _denied(body: Body) -> str:
    told = f"denied generation {_of(body, 'generation')}: {_of(body, 'reason')}"
    limit = body.get("limit")
    if isinstance(limit, dict):
        bound = f"{_of(limit, 'limit')} a {_of(limit, 'per')} of the {_of(limit, 'scope')}, {_of(limit, 'used')} used"
        return f"{told} ({_of(body, 'needed')} needed, limit {bound})"
    return f"{told} ({_of(body, 'needed')} needed, {_of(body, 'available')} available)"


def _settled(body: Body) -> str:
    return f"settled {_of(body, 'amount')} for generation {_of(body, 'generation')}"


def _refunded(body: Body) -> str:
    return f"refunded {_of(body, 'amount')} for generation {_of(body, 'generation')}: {_of(body, 'reason')}"


def _expired(body: Body) -> str:
    return f"expired {_of(body, 'amount')} of the grant of entry {_of(body, 'grant')}"


def _adjusted(body: Body) -> str:
    what = f"adjusted entry {_of(body, 'corrects')} by {_of(body, 'amount')}"
    return f"{what}, reference {_of(body, 'reference')}{_why(body)}"


def _closed(body: Body) -> str:
    return f"closed the account{_why(body)}"


def _reopened(body: Body) -> str:
    return f"reopened the account{_why(body)}"


def _limits_set(body: Body) -> str:
    whose = f"of API key {body['api_key']}" if body.get("api_key") else "of the account"
    bounds = [
        f"{body[name]} a {unit}"
        for name, unit in (("per_day", "day"), ("per_generation", "generation"))
        if body.get(name) is not None
    ]
    return f"limits {whose}: {' and '.join(bounds) or 'none'}"


def _requested(body: Body) -> str:
    asked, price = _part(body, "parameters"), _part(body, "price")
    what = (
        f"{_of(body, 'kind')}, {_of(asked, 'model')}, {_of(asked, 'resolution')}, {_of(asked, 'duration')} s"
    )
    return f"requested generation {_of(body, 'generation')}: {what}, for {_of(price, 'credits')} credits"


def _submitted(body: Body) -> str:
    return f"submitted as task {_of(body, 'provider_task_id')} of provider {_of(body, 'provider')}"


def _ready(body: Body) -> str:
    return f"ready: task {_of(body, 'provider_task_id')}, {_tokens(body)}"


def _failed(body: Body) -> str:
    return f"failed at {_of(body, 'stage')}: {_of(body, 'code')}"


def _late_result(body: Body) -> str:
    state = f"{_of(body, 'provider_status')} after its generation had ended"
    return f"late result: task {_of(body, 'provider_task_id')} {state}, {_tokens(body)}"


def _skipped(body: Body) -> str:
    return f"message LEDGER#{_of(body, 'skips')} skipped{_why(body)}"


def _stored(body: Body) -> str:
    return f"stored {_of(body, 'bytes')} bytes as {_of(body, 'key')}"


def _storage_failed(body: Body) -> str:
    after = "the provider's own URL serves" if body.get("stopgap_url") else "there is no video"
    return f"storage failed ({_of(body, 'side')}): {after}"


def _signed(body: Body) -> str:
    return f"signed checkpoint of {_of(body, 'log')}: {_of(body, 'size')} entries, root {_of(body, 'root')}"


def _tokens(body: Body) -> str:
    tokens = _part(body, "usage").get("total_tokens")
    return "no usage told" if tokens is None else f"{tokens} tokens"


def _of(body: Body, name: str) -> str:
    value = body.get(name)
    return "?" if value is None else str(value)


def _part(body: Body, name: str) -> Body:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _why(body: Body) -> str:
    return f": {body['reason']}" if body.get("reason") else ""


_WORDS: dict[str, Callable[[Body], str]] = {
    "granted": _granted,
    "debited": _debited,
    "denied": _denied,
    "settled": _settled,
    "refunded": _refunded,
    "expired": _expired,
    "adjusted": _adjusted,
    "closed": _closed,
    "reopened": _reopened,
    "limits_set": _limits_set,
    "skipped": _skipped,
    "requested": _requested,
    "submitted": _submitted,
    "ready": _ready,
    "failed": _failed,
    "late_result": _late_result,
    "stored": _stored,
    "storage_failed": _storage_failed,
    "signed": _signed,
}
