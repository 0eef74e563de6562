"""What the services measure, after videos that were made, refused, denied and not copied: on real parts."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.environments.saga import Emulator, Saga, is_answering, saga
from tests.support.eventually import eventually_async
from tests.support.servers.instances import NatsServer, S3Server
from tests.support.telemetry.metrics_page import MetricsPage, scrape

from telecine_cli.stack.ports import LOOPBACK, free_ports
from telecine_contracts.streams import CONSUMERS

SERVICES = ("gateway", "credits", "generation", "storage")
SHORT = {"resolution": "480p", "duration": 2}
PRICE = 40


@dataclass
class Stack:
    """All services in this process, each with its admin port."""

    world: Saga
    admin: Mapping[str, str]
    http: httpx.AsyncClient

    async def page(self, service: str) -> MetricsPage:
        return await scrape(self.admin[service])

    async def ask(self, prompt: str) -> str:
        answer = await self.http.post("/api/video/generate", json={"prompt": prompt, **SHORT})
        generation: str = answer.json().get("id", "")
        return generation

    async def until(self, service: str, name: str, value: float, **labels: str) -> None:
        """Until the service tells this value."""

        async def told() -> bool:
            return (await self.page(service)).value(name, **labels) == value

        await eventually_async(told, what=f"{service} never said {name} {labels} {value}")


@pytest.fixture
async def stack(nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path) -> AsyncIterator[Stack]:
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    overrides: dict[str, dict[str, Any]] = {
        name: {"health_port": port, "look_interval": 0.2} for name, port in ports.items()
    }
    async with saga(nats, s3, emulator, tmp_path, overrides=overrides) as world:
        await world.start("gateway")
        await world.grant("ann", 3 * PRICE)
        key = await world.key("ann")
        async with httpx.AsyncClient(base_url=world.gateway_url, headers={"X-API-Key": key}) as http:
            await is_answering(http)
            yield Stack(world, {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}, http)


async def test_counters_of_each_service(stack: Stack) -> None:
    good = await stack.ask("a lighthouse")
    assert await stack.world.closed("ann", good) == ["debited", "settled"]
    lost = await stack.ask("a lighthouse [emulator:result_html]")
    assert await stack.world.closed("ann", lost) == ["debited", "refunded"]
    refused = await stack.ask("a lighthouse [emulator:refuse]")
    assert await stack.world.closed("ann", refused) == ["debited", "refunded"]
    await stack.world.request("poor")
    await stack.until("credits", "telecine_debits_denied_total", 1, reason="insufficient_credits")

    await the_gateway_counts_requests(stack)
    await credits_counts_credits(stack)
    await generation_counts_calls(stack, good)
    await storage_counts_copies(stack)
    for service in SERVICES:
        await assert_healthy_and_bounded(stack, service, (good, lost, refused))


async def the_gateway_counts_requests(stack: Stack) -> None:
    page = await stack.page("gateway")
    asked = {"route": "/api/video/generate", "method": "POST"}
    assert page.value("telecine_http_requests_total", status="200", **asked) == 3
    assert page.value("telecine_http_request_duration_seconds_count", **asked) == 3
    requested = {"event_type": "generation.requested.v1", "outcome": "stored"}
    assert page.value("telecine_appends_total", **requested) == 3
    assert page.value("telecine_waiters", kind="outcome") == 0
    assert page.value("telecine_projection_events_total", projection="generations") > 10
    public = await stack.http.get("/metrics")
    assert public.status_code == 404, "metrics are not for the public"


async def credits_counts_credits(stack: Stack) -> None:
    page = await stack.page("credits")
    moved = {
        entry: page.value("telecine_credits_moved_total", entry=entry)
        for entry in ("granted", "debited", "settled", "refunded")
    }
    assert moved == {"granted": 3 * PRICE, "debited": 3 * PRICE, "settled": PRICE, "refunded": 2 * PRICE}
    assert page.value("telecine_ledger_commands_total", command="grant", outcome="done") == 1
    assert page.value("telecine_handler_messages_total", consumer="credits-debit", outcome="done") == 4
    await stack.until("credits", "telecine_consumer_lag_messages", 0)


async def generation_counts_calls(stack: Stack, good: str) -> None:
    page = await stack.page("generation")
    submitted = {
        outcome: page.value("telecine_provider_calls_total", operation="submit", outcome=outcome)
        for outcome in ("accepted", "refused")
    }
    assert submitted == {"accepted": 2, "refused": 1}
    assert page.value("telecine_provider_calls_total", operation="tasks", outcome="answered") >= 2
    assert page.value("telecine_provider_call_duration_seconds_count", operation="submit") == 3
    assert page.value("telecine_timer_delay_seconds_count", kind="poll") >= 2


async def storage_counts_copies(stack: Stack) -> None:
    page = await stack.page("storage")
    assert page.value("telecine_copies_total", outcome="stored") == 1
    assert page.value("telecine_copies_total", outcome="source") == 2, "tried twice"
    assert page.value("telecine_copied_bytes_total") > 10_000
    assert page.value("telecine_copy_duration_seconds_count") == 3


async def assert_healthy_and_bounded(stack: Stack, service: str, generations: tuple[str, ...]) -> None:
    page = await stack.page(service)
    assert page.value("telecine_ready") == 1
    assert page.value("telecine_healthy") == 1
    assert page.value("telecine_build_info", service=service) == 1
    assert page.value("process_resident_memory_bytes") > 1_000_000
    assert page.value("telecine_dead_letters_total") == 0
    values = page.label_values()
    assert not values & {"ann", "poor", *generations}
    assert [
        value for value in values if "ann." in value or ".g-" in value or value.startswith("timers")
    ] == []
    own = {consumer.name for consumer in CONSUMERS if consumer.service == service}
    told = {
        dict(labels).get("consumer") for name, labels in page.samples if name.startswith("telecine_consumer")
    }
    assert told - {None} == own


async def test_gauges_of_running_work(stack: Stack) -> None:
    await stack.ask("a lighthouse [emulator:hang]")
    await stack.until("credits", "telecine_holds", 1)
    await stack.until("generation", "telecine_generations_in_flight", 1, phase="following")
    await stack.until("credits", "telecine_credits", PRICE, side="held")
    page = await stack.page("credits")
    assert page.value("telecine_holds_overdue") == 0
    assert page.value("telecine_credits", side="held") == page.value("telecine_credits", side="holds")
    sides = ("available", "held", "spent", "expired", "taken_back")
    assert sum(page.value("telecine_credits", side=side) for side in sides) == 3 * PRICE
    assert page.value("telecine_credits", side="granted") == 3 * PRICE


async def test_a_dead_letter_is_counted_and_stays_counted(stack: Stack) -> None:
    jetstream = stack.world.connection.jetstream()
    await jetstream.publish("video.ann.raw.ready", b"no event", stream="VIDEO")
    await stack.until("storage", "telecine_dead_letters_total", 1, consumer="storage-copy")
    page = await stack.page("storage")
    dead = {"consumer": "storage-copy", "outcome": "dead_lettered"}
    assert page.value("telecine_handler_messages_total", **dead) == 1
    await stack.until("storage", "telecine_dead_letters_total", 1, consumer="storage-pending_copies")
    await stack.world.stop("storage")
    await stack.world.start("storage")
    await stack.until("storage", "telecine_dead_letters_kept", 1, consumer="storage-copy")
