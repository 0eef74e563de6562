"""A newer version wrote events that this one does not know: who goes on, who waits, and that an upgrade ends it."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from tests.support.environments.saga import Emulator, Saga, is_answering, saga
from tests.support.eventually import eventually_async
from tests.support.servers.instances import NatsServer, S3Server

import telecine_credits.app
import telecine_gateway.app
import telecine_generation.app
import telecine_storage.app
from telecine_chassis.consumers import reactor
from telecine_chassis.consumers.dead_letters import DeadLetters
from telecine_cli.errors import CommandError
from telecine_cli.output.credits import print_balance
from telecine_cli.output.events import print_generation
from telecine_cli.target import find_target
from telecine_contracts import EVENTS, Envelope, Event, Registry, encode, subjects
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import Balances, LedgerEvent
from telecine_contracts.gateway import VideoEvent

APPS = (telecine_gateway.app, telecine_credits.app, telecine_generation.app, telecine_storage.app)


class GenerationReviewed(VideoEvent):
    """Something to know, which no service decides on."""

    type: ClassVar[str] = "generation.reviewed.v1"
    action: ClassVar[str] = "reviewed"
    written_by: ClassVar[str] = "generation"
    informational: ClassVar[bool] = True


class GenerationProgressed2(VideoEvent):
    """A new version of an event that there is."""

    type: ClassVar[str] = "generation.progressed.v2"
    action: ClassVar[str] = "progressed"
    written_by: ClassVar[str] = "generation"


class CreditsReserved(LedgerEvent):
    """A new kind of entry; that it calls itself informational counts for nothing on the ledger."""

    type: ClassVar[str] = "credits.reserved.v1"
    action: ClassVar[str] = "reserved"
    informational: ClassVar[bool] = True


NEWER = (GenerationReviewed, GenerationProgressed2, CreditsReserved)


def newer_registry() -> Registry:
    known = Registry((*EVENTS, *NEWER))
    known.upcast("credits.denied.v1", "credits.denied.v2", dict)
    return known


@pytest.fixture
async def environment(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Saga]:
    monkeypatch.setattr(reactor, "UPGRADE_RECHECK", 0.3)
    quick = {"gateway": {"answer_timeout": 1.0, "cancel_timeout": 1.0}}
    async with saga(nats, s3, emulator, tmp_path, overrides=quick) as running:
        await running.start("gateway")
        yield running


async def append_newer_events(environment: Saga, event: Event) -> None:
    """As its store would."""
    envelope = Envelope(
        id=secrets.token_hex(8), source="telecine/newer", type=event.type, time=datetime.now(UTC),
        subject=subjects.of_event(event), correlation="c", causation="c", informational=event.informational,
    )  # fmt: skip
    await environment.connection.jetstream().publish(
        subjects.of_event(event), encode(event), headers=envelope.to_headers()
    )


async def request_generation(http: httpx.AsyncClient) -> str:
    answer = await http.post("/api/video/generate", json={"prompt": "a lighthouse", "resolution": "480p"})
    assert (answer.status_code, answer.json()["status"]) == (200, "processing")
    return str(answer.json()["id"])


async def upgrade(environment: Saga, monkeypatch: pytest.MonkeyPatch) -> None:
    for app in APPS:
        monkeypatch.setattr(app, "registry", newer_registry)
    running = list(environment.services)
    await environment.stop(*reversed(running))
    await environment.start(*running)


async def wait_until_ended(http: httpx.AsyncClient, generation: str, status: str) -> dict[str, Any]:
    async def ended() -> bool:
        return bool((await http.get(f"/api/video/{generation}")).json()["status"] == status)

    await eventually_async(ended, within=20)
    answer: dict[str, Any] = (await http.get(f"/api/video/{generation}")).json()
    return answer


async def test_a_rollback_stops_only_what_depends_on_newer_events_and_an_upgrade_ends_it(
    environment: Saga, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await environment.grant("ann", 500)
    await environment.stop("generation")
    headers = {"X-API-Key": await environment.key("ann")}
    async with httpx.AsyncClient(base_url=environment.gateway_url, headers=headers, trust_env=False) as http:
        await is_answering(http)
        informed, stopped = await request_generation(http), await request_generation(http)
        await append_newer_events(environment, GenerationReviewed(account="ann", generation=informed))
        await append_newer_events(environment, GenerationProgressed2(account="ann", generation=stopped))
        await environment.start("generation")

        # What only informs goes on, and an event that its writer calls informational stops no reader.
        record = await wait_until_ended(http, informed, "completed")
        assert "generation.reviewed.v1" not in [event["type"] for event in record["events"]]
        status = await http.get("/api/video/status", params={"taskId": stopped, "historyId": stopped})
        assert (status.status_code, status.json()["status"]) == (200, "processing")
        assert (await http.get("/api/video/history")).status_code == 200
        target = find_target(None, environment.nats.url, None)
        await print_generation(target, stopped, as_json=False)
        shown = capsys.readouterr().out
        assert "generation.progressed.v2" in shown
        assert "upgrade to read it" in shown

        # What decides says so, and decides nothing.
        cancel = await http.post(f"/api/video/{stopped}/cancel")
        assert (cancel.status_code, cancel.json()["code"]) == (503, "newer_event")
        assert int(cancel.headers["retry-after"]) > 0

        # The ledger: no entry may be left out, whatever it calls itself.
        last = (await environment.ledger("ann"))[-1].event
        assert isinstance(last, LedgerEvent)
        reserved = CreditsReserved(
            account="ann", entry=last.entry + 1, postings=(),
            balances=Balances(**last.balances.model_dump()), decided_at=last.decided_at,
        )  # fmt: skip
        await append_newer_events(environment, reserved)
        pending = await http.post("/api/video/generate", json={"prompt": "a lighthouse"})
        assert (pending.status_code, pending.json()["status"]) == (202, "pending")
        assert (await http.get("/api/credits")).status_code == 200
        refused = await environment.grant("ann", 5)
        assert refused.refusal is Refusal.UNAVAILABLE
        assert "upgrade" in str(refused.error)
        with pytest.raises(CommandError, match="a newer version may be able to"):
            await print_balance(target, "ann", as_json=False)
        assert (await environment.grant("bob", 5)).done
        assert await DeadLetters(environment.connection).list() == []

        monkeypatch.setattr(environment.store, "_registry", newer_registry())
        await upgrade(environment, monkeypatch)
        await is_answering(http)
        assert (await wait_until_ended(http, stopped, "completed"))["status"] == "completed"
        await wait_until_ended(http, pending.json()["id"], "completed")
        assert (await environment.grant("ann", 5)).done
    assert await DeadLetters(environment.connection).list() == []
