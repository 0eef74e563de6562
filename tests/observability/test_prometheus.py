"""A real Prometheus reads a real stack by the repository's own files. Run by `make test-observability`."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.support.eventually import eventually_async
from tests.support.security.nats_identities import connect_as
from tests.support.telemetry.observability_files import (
    FILES,
    alert_expressions,
    dashboard_expressions,
    selectors,
    template_labels,
)
from tests.support.telemetry.prometheus import Prometheus, prometheus

from telecine_auditor.mirror.metrics import FOLLOWED
from telecine_cli.api_keys import create
from telecine_cli.ledger_client import grant
from telecine_cli.output.provision import provision_stack
from telecine_cli.stack.config import SERVICES, StackConfig, StackOptions, health_port
from telecine_cli.stack.supervisor import Stack
from telecine_cli.target import connected, stack_target
from telecine_contracts.commands import GrantCredits
from telecine_gateway.access.api_keys import new_key

SHORT = {"resolution": "480p", "duration": 2}
PRICE = 40
FAST_SETTINGS = {
    "POLL_INTERVAL": "0.5",
    "LOOK_INTERVAL": "1",
    "COPY_RETRY_FIRST": "0.1",
    "SWEEP_INTERVAL": "2",
}
ELSEWHERE = (FOLLOWED, "telecine_tokens_refused_total")
"""A mirror tells the first through node_exporter; the second needs an issuer of tokens, which this stack has not."""


@pytest.mark.parametrize(
    "question", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts-test.yml")]
)
def test_promtool_accepts_the_files(question: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *question], cwd=FILES, capture_output=True, text=True, check=False)
    assert (done.returncode, "SUCCESS" in done.stdout) == (0, True), done.stdout + done.stderr


@dataclass
class ObservedStack:
    """A stack, a client that uses it, and the Prometheus that scrapes it."""

    stack: Stack
    http: httpx.AsyncClient
    prometheus: Prometheus

    @property
    def config(self) -> StackConfig:
        return self.stack.config

    async def ask_for(self, prompt: str) -> str:
        """A video; its generation's id, none if it was not paid for."""
        answer = await self.http.post("/api/video/generate", json={"prompt": prompt, **SHORT})
        return str(answer.json().get("id", ""))

    async def until(self, generation: str, status: str) -> None:
        async def so() -> bool:
            return str((await self.http.get(f"/api/video/{generation}")).json()["status"]) == status

        await eventually_async(so, within=60, what=f"{generation} is not {status}")


@asynccontextmanager
async def observed_stack(folder: Path) -> AsyncIterator[ObservedStack]:
    options = StackOptions(emulator_arguments=("--task-seconds=0.5",), checkpoint_entries=1)
    async with Stack(folder / "data", options, provision=provision_stack) as stack:
        ports = {name: stack.config.state.ports[health_port(name)] for name in SERVICES}
        key = await rich_account(stack.config)
        async with (
            prometheus(folder / "prometheus", ports) as reader,
            httpx.AsyncClient(
                base_url=stack.config.gateway_url, headers={"X-API-Key": key}, timeout=30, trust_env=False
            ) as http,
        ):
            yield ObservedStack(stack, http, reader)


async def rich_account(config: StackConfig) -> str:
    """The key of an account that can pay for five videos."""
    key = new_key()
    async with connected(stack_target(config)) as connection:
        await create(connection, "ann", key, name="tests")
        await grant(
            connection, GrantCredits(account="ann", amount=5 * PRICE, reference="first", reason="tests")
        )
    return key.secret


async def test_every_metric_is_there_and_every_alert_is_silent_until_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FAST_SETTINGS.items():
        monkeypatch.setenv(f"TELECINE_{name}", value)
    async with observed_stack(tmp_path) as world:
        await videos_come_and_fail(world)
        await all_is_silent(world.prometheus)
        await a_dead_letter_is_told(world)
        await a_server_that_is_gone_is_noticed(world)
        await everything_named_is_measured(world.prometheus)
        await every_curve_can_be_drawn(world.prometheus)


async def videos_come_and_fail(world: ObservedStack) -> None:
    await eventually_async(lambda: knows_the_key(world), within=20)
    for prompt, end in (
        ("a lighthouse", "completed"),
        ("a lighthouse [emulator:fail]", "failed"),
        ("a lighthouse [emulator:result_html]", "failed"),
    ):
        await world.until(await world.ask_for(prompt), end)
    hanging = await world.ask_for("a lighthouse [emulator:hang]")
    (await world.http.post(f"/api/video/{hanging}/cancel")).raise_for_status()
    for _ in range(5):
        await world.ask_for("a lighthouse")
    denied = await world.http.post("/api/video/generate", json={"prompt": "one too many", **SHORT})
    assert denied.status_code == 402, denied.text


async def knows_the_key(world: ObservedStack) -> bool:
    return (await world.http.get("/api/credits")).status_code == 200


async def everything_named_is_measured(reader: Prometheus) -> None:
    """Every metric has series, with every label that a rule or panel selects by, groups by or shows."""
    wanted: dict[str, set[str]] = {}
    for expression in (*alert_expressions().values(), *dashboard_expressions()):
        for name, labels in selectors(expression).items():
            wanted.setdefault(name, set()).update(labels)
    for name in ELSEWHERE:
        wanted.pop(name)
    for name, labels in wanted.items():
        what = f"{name} is not there, or without {labels}"
        await eventually_async(partial(has_series, reader, name, labels), within=40, what=what)


async def has_series(reader: Prometheus, name: str, labels: set[str]) -> bool:
    found = await reader.labels(name)
    return bool(found) and labels <= found


async def every_curve_can_be_drawn(reader: Prometheus) -> None:
    """Every question of the dashboard is valid, has an answer, and its labels are those that are shown."""
    for expression, legend in dashboard_expressions().items():
        if any(name in expression for name in ELSEWHERE):
            continue
        curves = await reader.curves(expression)
        assert curves, f"nothing to draw: {expression}"
        for curve in curves:
            assert template_labels(legend) <= curve.keys(), f"{legend} of {expression}: {curve}"


async def all_is_silent(reader: Prometheus) -> None:
    """No rule fails, and none finds anything wrong."""
    groups = (await reader.ask("rules"))["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert rules.keys() == alert_expressions().keys()
    assert [name for name, rule in rules.items() if rule["health"] != "ok"] == []

    async def silent() -> bool:
        return await reader.alerts() == {}

    await eventually_async(silent, within=30, what=f"{await reader.alerts()}")


async def a_dead_letter_is_told(world: ObservedStack) -> None:
    async with connect_as("generation", world.config.nats) as connection:
        await connection.jetstream().publish("video.ann.raw.ready", b"no event", stream="VIDEO")

    async def told() -> list[str]:
        """What is said of the consumer; every table that the message was for has a letter of its own."""
        return [
            alert["annotations"]["summary"]
            for alert in (await world.prometheus.ask("alerts"))["alerts"]
            if alert["state"] == "firing" and alert["labels"].get("consumer") == "storage-copy"
        ]

    await eventually_async(told, within=60, what="no alert was sent for a dead letter")
    assert await told() == ["1 messages of storage-copy could not be taken: replay or dismiss them"]


async def a_server_that_is_gone_is_noticed(world: ObservedStack) -> None:
    """The services stay, and say that they are not ready; with it, they are."""
    nats = world.stack.process("nats")
    await nats.terminate()
    await eventually_async(
        partial(alert_is_firing, world, "ServiceNotReady"), within=30, what="all seems well"
    )
    nats.start()

    async def over() -> bool:
        return not await alert_is_firing(world, "ServiceNotReady")

    await eventually_async(over, within=60, what="a service does not come back")


async def alert_is_firing(world: ObservedStack, alert: str) -> bool:
    return alert in await world.prometheus.alerts()
