"""Clients that ask for one generation after the other and follow each to its end, through any of several gateways."""

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.support.environments.saga import Emulator, Saga
from tests.support.eventually import eventually, eventually_async

__all__ = ["GenerationLoad", "assert_exactly_once", "demand"]

SMALLEST = {"resolution": "480p", "duration": 2}
PAUSE = 0.2
"""Seconds between two looks at a generation, and between two tries."""
TERMINAL_STATES = ("completed", "failed", "cancelled")
ORDER = ("pending", "processing", *TERMINAL_STATES)


class UnexpectedResponse(Exception):
    """An answer that no client should have to see."""


@dataclass
class GenerationLoad:
    """What the clients asked for, and how it ended: generation → status.

    Each request goes to the next gateway in turn, over a connection of its own; one that refuses connections is left
    out. A status that goes back is an error, whichever gateways tell it. `patient` clients also take 503 and a broken
    connection for "try again", under the same Idempotency-Key.
    """

    gateways: Sequence[str]
    http: httpx.AsyncClient
    patient: bool = False
    accepted: list[str] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    by_gateway: dict[str, int] = field(default_factory=dict)
    _going: bool = True
    _turn: "itertools.cycle[str]" = field(init=False)

    def __post_init__(self) -> None:
        self._turn = itertools.cycle(self.gateways)

    async def more_ended(self, count: int, *, within: float = 60) -> None:
        """Until `count` generations that were accepted from now on have ended."""
        before = set(self.accepted)
        await eventually(
            lambda: len(self.ended.keys() - before) >= count, within=within, what="no generation gets through"
        )

    async def client(self) -> None:
        """Ask, follow, ask again, until the demand ends."""
        while self._going:
            generation = await self._ask()
            self.accepted.append(generation)
            self.ended[generation] = await self._end(generation)

    def stop(self) -> None:
        """Ask for nothing new; what was asked for is followed to its end."""
        self._going = False

    async def _ask(self) -> str:
        repeat = {"Idempotency-Key": secrets.token_hex(8)}
        prompt = {"prompt": f"a lighthouse, {secrets.token_hex(4)}", **SMALLEST}
        answer = await self.send("POST", "/api/video/generate", json=prompt, headers=repeat)
        if answer.status_code not in (200, 202):
            raise UnexpectedResponse(f"{answer.status_code} {answer.text}")
        return str(answer.json()["id"])

    async def _end(self, generation: str) -> str:
        query, seen = {"taskId": generation, "historyId": generation}, ORDER[0]
        while seen not in TERMINAL_STATES:
            answer = await self.send("GET", "/api/video/status", params=query)
            if answer.status_code != 200:
                raise UnexpectedResponse(f"{answer.status_code} {answer.text}")
            before, seen = seen, str(answer.json()["status"])
            if ORDER.index(seen) < ORDER.index(before):
                raise UnexpectedResponse(f"{generation} was {before} and then {seen}")
            await asyncio.sleep(0 if seen in TERMINAL_STATES else PAUSE)
        return seen

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request, as often as this kind of client tries it."""
        while True:
            gateway = next(self._turn)
            try:
                answer = await self.http.request(method, f"{gateway}{path}", **request)
            except httpx.ConnectError:
                await asyncio.sleep(PAUSE / 2)
            except httpx.TransportError:
                if not self.patient:
                    raise
                await asyncio.sleep(PAUSE)
            else:
                if answer.status_code != 503 or not self.patient:
                    self.by_gateway[gateway] = self.by_gateway.get(gateway, 0) + 1
                    return answer
                await asyncio.sleep(PAUSE)


async def assert_exactly_once(world: Saga, account: str, asked: GenerationLoad) -> None:
    """Every generation that was accepted is delivered, paid for once and submitted once; nothing else was charged."""
    assert Counter(asked.ended.values()) == {"completed": len(asked.accepted)}

    async def all_settled() -> bool:
        return (await world.balances(account))["held"] == 0

    await eventually_async(all_settled, within=20, what="credits stay held")
    entries = [entry.event for entry in await world.ledger(account)]
    charged = Counter(
        (entry.action, entry.about["generation"]) for entry in entries if "generation" in entry.about
    )
    assert charged == Counter((action, each) for each in asked.accepted for action in ("debited", "settled"))
    assert await _submission_counts(world.emulator, asked.accepted) == dict.fromkeys(asked.accepted, 1)


async def _submission_counts(emulator: Emulator, generations: Sequence[str]) -> dict[str, int]:
    """How many tasks the provider accepted for each generation, as its journal has it."""
    async with httpx.AsyncClient(trust_env=False) as http:
        journal = (await http.get(f"{emulator.root}/admin/journal")).raise_for_status().json()
    marks = [
        str((entry.get("body") or {}).get("safety_identifier"))
        for entry in journal["entries"]
        if str(entry["outcome"]).startswith("accepted")
    ]
    return {each: sum(each.replace("-", "") in mark for mark in marks) for each in generations}


@asynccontextmanager
async def demand(
    gateways: Sequence[str], key: str, *, clients: int, patient: bool = False
) -> AsyncIterator[GenerationLoad]:
    """Clients at work while the block runs; at its end all that was asked for has ended. Raises what a client met."""
    fresh = httpx.Limits(max_keepalive_connections=0)
    headers = {"X-API-Key": key}
    async with (
        httpx.AsyncClient(headers=headers, limits=fresh, trust_env=False, timeout=30) as http,
        asyncio.TaskGroup() as tasks,
    ):
        asked = GenerationLoad(gateways, http, patient)
        for _ in range(clients):
            tasks.create_task(asked.client())
        yield asked
        asked.stop()
