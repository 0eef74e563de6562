"""The providers that the contract suite runs over, each with the levers a test needs to pull."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import httpx
from pydantic import SecretStr

from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process
from telecine_contracts.generation import DeferralReason, FailureCode
from telecine_generation.provider.ark import ArkConfig, ArkProvider
from telecine_generation.provider.ark_errors import failure_code, user_message
from telecine_generation.provider.memory import MemoryProvider
from telecine_generation.provider.port import Provider

__all__ = [
    "Answer",
    "EmulatorEnvironment",
    "MemoryEnvironment",
    "ProviderEnvironment",
    "emulator",
    "emulator_environment",
    "memory_environment",
]

_STAGE_SECONDS = 1000  # a task stays queued, then running, so long unless the clock is moved
_READY_SECONDS = 20.0


class Answer(Enum):
    """What the next submission gets instead of a plain yes."""

    INVALID = "invalid"
    MODERATED = "moderated"
    OVERDUE = "overdue"
    RATE_LIMITED = "rate_limited"
    LOST_AND_ACCEPTED = "lost_and_accepted"
    ERROR_AND_ACCEPTED = "error_and_accepted"
    GARBLED_AND_ACCEPTED = "garbled_and_accepted"
    ERROR_AND_NOT_ACCEPTED = "error_and_not_accepted"


class ProviderEnvironment(Protocol):
    """A provider and what surrounds it. `name` is another in each test, for marks that no other test uses."""

    name: str
    provider: Provider

    async def now(self) -> datetime:
        """The provider's time."""
        ...

    async def answer_next(self, answer: Answer) -> None:
        """The next submission meets this."""
        ...

    async def destine_next(self, end: str, code: str | None = None) -> None:
        """The task of the next submission will end so: succeeded, failed (with this code) or expired."""
        ...

    async def hide_next(self) -> None:
        """The task of the next submission is missing from lists for now."""
        ...

    async def break_next_read(self) -> None:
        """The next list call gets no answer that can be read."""
        ...

    async def show_next_as(self, task_id: str, status: str) -> None:
        """The next list call shows the task with this status."""
        ...

    async def run(self, task_id: str) -> None:
        """The task leaves the queue."""
        ...

    async def finish(self, task_id: str) -> None:
        """The running task comes to its end."""
        ...

    async def posts(self) -> int:
        """How many requests to submit have reached the provider in this world."""
        ...

    async def exists(self, task_id: str) -> bool:
        """Whether the provider still has the record."""
        ...


class MemoryEnvironment:
    """MemoryProvider, under a clock that stands still."""

    name = "memory"

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._ends: dict[str, tuple[str, str | None]] = {}
        self.memory = MemoryProvider(lambda: now)
        self.provider: Provider = self.memory

    async def now(self) -> datetime:
        return self._now

    async def answer_next(self, answer: Answer) -> None:
        if answer is Answer.INVALID:
            self._refuse(FailureCode.INVALID_REQUEST, "InvalidParameter")
        elif answer is Answer.MODERATED:
            self._refuse(FailureCode.MODERATION_INPUT, "InputTextSensitiveContentDetected")
        elif answer is Answer.OVERDUE:
            self._refuse(FailureCode.PROVIDER_CONFIGURATION, "AccountOverdueError")
        elif answer is Answer.RATE_LIMITED:
            self.memory.defer(DeferralReason.RATE_LIMITED, "ServerOverloaded")
        else:
            self.memory.lose(accepted=answer is not Answer.ERROR_AND_NOT_ACCEPTED)

    async def destine_next(self, end: str, code: str | None = None) -> None:
        self._ends[self.memory.next_id()] = (end, code)

    async def hide_next(self) -> None:
        self.memory.hide_next()

    async def break_next_read(self) -> None:
        self.memory.fail_reads(1)

    async def show_next_as(self, task_id: str, status: str) -> None:
        self.memory.advance(task_id, status)

    async def run(self, task_id: str) -> None:
        self.memory.advance(task_id, "running")

    async def finish(self, task_id: str) -> None:
        end, provider_code = self._ends.get(task_id, ("succeeded", None))
        if end == "succeeded":
            self.memory.succeed(task_id)
        elif provider_code:
            code = failure_code(provider_code, None)
            self.memory.fail(task_id, code, provider_code, user_message(code, None))
        else:
            self.memory.advance(task_id, end)

    async def posts(self) -> int:
        return len(self.memory.submitted)

    async def exists(self, task_id: str) -> bool:
        return task_id in self.memory.records

    def _refuse(self, code: FailureCode, provider_code: str) -> None:
        self.memory.refuse(code, provider_code, user_message(code, None))


@asynccontextmanager
async def memory_environment(now: datetime) -> AsyncIterator[MemoryEnvironment]:
    """The twin."""
    world = MemoryEnvironment(now)
    yield world
    await world.provider.aclose()


_FAULTS: dict[Answer, tuple[str, str | None]] = {
    Answer.INVALID: ("refuse", "InvalidParameter"),
    Answer.MODERATED: ("moderation_input", None),
    Answer.OVERDUE: ("refuse", "403:AccountOverdueError"),
    Answer.RATE_LIMITED: ("rate_limit", None),
    Answer.LOST_AND_ACCEPTED: ("drop_after_accept", None),
    Answer.ERROR_AND_ACCEPTED: ("error_after_accept", None),
    Answer.GARBLED_AND_ACCEPTED: ("garbage_body", "create:json"),
    Answer.ERROR_AND_NOT_ACCEPTED: ("error_before_accept", None),
}
_ENDS = {"failed": "fail", "expired": "expire"}


class EmulatorEnvironment:
    """ArkProvider, with an emulator that other tests have used and will use."""

    def __init__(self, admin: httpx.AsyncClient, provider: Provider, posts_before: int) -> None:
        self._admin = admin
        self._posts_before = posts_before
        self.name = f"world-{posts_before}"
        self.provider = provider

    async def now(self) -> datetime:
        return datetime.fromtimestamp((await self._get("clock"))["now"], UTC)

    async def answer_next(self, answer: Answer) -> None:
        await self._fault(*_FAULTS[answer])

    async def destine_next(self, end: str, code: str | None = None) -> None:
        if end in _ENDS:
            await self._fault(_ENDS[end], code)

    async def hide_next(self) -> None:
        await self._fault("list_lag", str(_STAGE_SECONDS))

    async def break_next_read(self) -> None:
        await self._fault("garbage_body", "list")

    async def show_next_as(self, task_id: str, status: str) -> None:
        await self._fault("unknown_status", status)

    async def run(self, task_id: str) -> None:
        await self._advance()

    async def finish(self, task_id: str) -> None:
        await self._advance()

    async def posts(self) -> int:
        return await _count_posts(self._admin) - self._posts_before

    async def exists(self, task_id: str) -> bool:
        tasks = (await self._get("tasks"))["tasks"]
        return any(task["id"] == task_id and not task["deleted"] for task in tasks)

    async def _advance(self) -> None:
        answer = await self._admin.post("/admin/clock", json={"advance_seconds": _STAGE_SECONDS + 1})
        answer.raise_for_status()

    async def _fault(self, name: str, value: str | None) -> None:
        fault = {"name": name, "value": value, "times": 1}
        (await self._admin.post("/admin/faults", json=fault)).raise_for_status()

    async def _get(self, what: str) -> Any:
        return (await self._admin.get(f"/admin/{what}")).raise_for_status().json()


@asynccontextmanager
async def emulator_environment(url: str) -> AsyncIterator[EmulatorEnvironment]:
    """A world of its own on a running emulator."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=_READY_SECONDS) as admin:
        (await admin.delete("/admin/faults")).raise_for_status()
        provider = ArkProvider(ArkConfig(f"{url}/api/v3", SecretStr("any-key")))
        try:
            yield EmulatorEnvironment(admin, provider, await _count_posts(admin))
        finally:
            await provider.aclose()


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """The URL of a running emulator whose tasks move only with its clock."""
    port = free_port()
    options = {"data": folder, "port": port, "queue-seconds": _STAGE_SECONDS, "run-seconds": _STAGE_SECONDS}
    flags = (*(f"--{name}={value}" for name, value in options.items()), "--text-commands-win")
    command = Command(
        "emulator", (sys.executable, "-m", "telecine_emulator", *flags), folder / "emulator.log"
    )
    url, process = f"http://{LOOPBACK}:{port}", Process(command)
    process.start()
    try:
        _wait_ready(process, url)
        yield url
    finally:
        process.kill()


def _wait_ready(process: Process, url: str) -> None:
    loop = asyncio.new_event_loop()  # asyncio.run would take away the loop that pytest-asyncio set
    try:
        loop.run_until_complete(process.wait_ready(lambda: _healthy(url), _READY_SECONDS))
    finally:
        loop.close()


async def _healthy(url: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{url}/healthz")).is_success
    except httpx.TransportError:
        return False


async def _count_posts(admin: httpx.AsyncClient) -> int:
    journal = (await admin.get("/admin/journal", params={"action": "create"})).raise_for_status().json()
    return len(journal["entries"])
