"""Callbacks: a POST to the task's callback URL at each change of status, in order unless a fault reorders them."""

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .task import TERMINAL, Task

if TYPE_CHECKING:
    import httpx

RETRIED_STATUSES = frozenset({"succeeded", "failed"})
MAX_TRIES = 3
REPORTED_STATUSES = frozenset({"queued", "running", "succeeded", "failed", "expired"})

Body = dict[str, Any]


class CallbackSender:
    """Ark: 5 s for an acknowledgement, three tries for succeeded and failed. A restart loses pending callbacks."""

    def __init__(self, describe: Callable[[Task], Body], timeout: float) -> None:
        self._describe = describe
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None
        self._last: dict[str, asyncio.Task[None]] = {}
        self._held: dict[str, list[Body]] = {}

    def notify(self, task: Task) -> None:
        """Queues the callbacks of a status change; does not wait for them."""
        if task.callback_url is None or task.status not in REPORTED_STATUSES or task.plan.callback_drop:
            return
        for body in self._bodies(task):
            for _ in range(2 if task.plan.callback_duplicate else 1):
                self._queue(task.id, task.callback_url, body)

    async def close(self) -> None:
        for sending in self._last.values():
            sending.cancel()
        await asyncio.gather(*self._last.values(), return_exceptions=True)
        if self._client:
            await self._client.aclose()

    def _bodies(self, task: Task) -> list[Body]:
        body = self._describe(task)
        forged = [_forged(body, task.plan.callback_forged)] if task.plan.callback_forged else []
        if task.status == "queued" and forged:
            return [body, *forged]
        if not task.plan.callback_reorder:
            return [body]
        # Kept until the task ends, then sent in reverse order.
        held = self._held.setdefault(task.id, [])
        held.append(body)
        return list(reversed(self._held.pop(task.id))) if task.status in TERMINAL else []

    def _queue(self, task_id: str, url: str, body: Body) -> None:
        # Each callback waits for the previous one of its task, so that they arrive in order.
        sending = asyncio.create_task(self._send_after(self._last.get(task_id), url, body))
        self._last[task_id] = sending
        sending.add_done_callback(lambda done: self._forget(task_id, done))

    def _forget(self, task_id: str, done: asyncio.Task[None]) -> None:
        if self._last.get(task_id) is done:
            del self._last[task_id]

    async def _send_after(self, earlier: asyncio.Task[None] | None, url: str, body: Body) -> None:
        if earlier:
            await asyncio.wait([earlier])
        client = await self._opened()
        for _ in range(MAX_TRIES if body["status"] in RETRIED_STATUSES else 1):
            if await _acknowledged(client, url, body):
                return

    async def _opened(self) -> "httpx.AsyncClient":
        if self._client is None:
            # Loaded at the first callback and in a thread, because loading httpx takes a while.
            module = await asyncio.to_thread(import_module, "httpx")
            self._client = self._client or module.AsyncClient(timeout=self._timeout, trust_env=False)
        return self._client


async def _acknowledged(client: "httpx.AsyncClient", url: str, body: Body) -> bool:
    import httpx

    try:
        answer = await client.post(url, json=body)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return answer.is_success


def _forged(body: Body, video_url: str) -> Body:
    """A success that did not happen, as an attacker who guessed the callback URL might send it."""
    return {**body, "status": "succeeded", "content": {"video_url": video_url}}
