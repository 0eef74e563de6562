"""The API's representation of a task, and its signed result URLs."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from telecine_emulator.tasks.clock import tos_date
from telecine_emulator.tasks.task import URL_LIFETIME_SECONDS, Task

from .video_models import FRAME_RATE

FAILURES = {
    "OutputVideoSensitiveContentDetected": "The generated video may contain sensitive information",
    "InternalServiceError": "The service met an unexpected internal error",
}
VIDEO = "video"
LAST_FRAME = "last_frame.png"


@dataclass(frozen=True)
class SignedUrls:
    """Creates and checks result URLs, signed in the style of TOS and valid for 24 h from success."""

    secret: bytes

    def url(self, task: Task, name: str, base: str) -> str:
        """The same URL at every call: a later get does not extend its validity."""
        path = f"/results/{task.id}/{name}"
        query = {
            "X-Tos-Algorithm": "TOS4-HMAC-SHA256",
            "X-Tos-Credential": f"emulator/{tos_date(task.updated_at)[:8]}/local/tos/request",
            "X-Tos-Date": tos_date(task.updated_at),
            "X-Tos-Expires": str(URL_LIFETIME_SECONDS),
            "X-Tos-SignedHeaders": "host",
        }
        return f"{base}{path}?{urlencode(query)}&X-Tos-Signature={self._sign(path, query['X-Tos-Date'])}"

    def url_without_date(self, task: Task, name: str, base: str) -> str:
        """A URL without its date of expiry."""
        path = f"/results/{task.id}/{name}"
        return f"{base}{path}?X-Tos-Signature={self._sign(path, '')}"

    def is_valid(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether the signature is right. The caller checks the expiry."""
        wanted = self._sign(path, query.get("X-Tos-Date", ""))
        return hmac.compare_digest(wanted, query.get("X-Tos-Signature", ""))

    def _sign(self, path: str, date: str) -> str:
        return hmac.new(self.secret, f"{path}\n{date}".encode(), hashlib.sha256).hexdigest()


def video_name(task: Task) -> str:
    return f"{VIDEO}.{task.spec.output_format}"


def describe(task: Task, signed_urls: SignedUrls, base: str) -> dict[str, Any]:
    """The body of a get, of a list item and of a callback."""
    return {
        "id": task.id,
        "model": task.spec.model,
        "status": task.status,
        "error": _error(task),
        "created_at": int(task.created_at),
        "updated_at": int(task.updated_at),
        **_echoes(task),
        **(_outcome(task, signed_urls, base) if task.status == "succeeded" else {}),
    }


def without_timestamps(
    task: Task, shown: dict[str, Any], form: str, signed_urls: SignedUrls, base: str
) -> dict[str, Any]:
    """A record whose `updated_at` is missing or in another form, and whose result URL has no date."""
    forms = {"float": task.updated_at, "milliseconds": int(task.updated_at * 1000), "null": None}
    spoilt = {name: value for name, value in shown.items() if name != "updated_at"}
    if form:
        spoilt["updated_at"] = forms.get(form, str(task.updated_at))
    if "content" in spoilt:
        spoilt["content"] = spoilt["content"] | {
            "video_url": signed_urls.url_without_date(task, video_name(task), base)
        }
    return spoilt


def _error(task: Task) -> dict[str, str] | None:
    """Ark: only a failed task has an error; expired and cancelled tasks have none."""
    if task.error_code is None:
        return None
    reason = FAILURES.get(task.error_code, "The generation failed")
    return {"code": task.error_code, "message": f"{reason}. Request id: {task.id}"}


def _echoes(task: Task) -> dict[str, Any]:
    spec = task.spec
    shown = {
        "seed": spec.seed,
        "resolution": spec.resolution,
        "ratio": spec.ratio,
        "duration": spec.duration,
        "frames": spec.frames,
        "framespersecond": FRAME_RATE,
        "service_tier": spec.service_tier,
        "execution_expires_after": spec.execution_expires_after,
        "priority": spec.priority,
        "output_format": spec.output_format,
        "generate_audio": spec.generate_audio,
        "draft": spec.draft or None,
        "draft_task_id": spec.draft_task,
        "safety_identifier": spec.safety_identifier,
        "tools": [{"type": tool} for tool in spec.tools] or None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _outcome(task: Task, signed_urls: SignedUrls, base: str) -> dict[str, Any]:
    content = {"video_url": signed_urls.url(task, video_name(task), base)}
    if task.spec.return_last_frame:
        content["last_frame_url"] = signed_urls.url(task, LAST_FRAME, base)
    tokens = task.spec.tokens
    return {"content": content, "usage": {"completion_tokens": tokens, "total_tokens": tokens}}
