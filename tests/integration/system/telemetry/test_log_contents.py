"""Logs name ids and never content; one trace runs through every event of a generation."""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.support.environments.saga import KEY, Emulator, Saga, is_answering, saga
from tests.support.servers.instances import NatsServer, S3Server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MARKERS = (
    "",
    "[emulator:refuse]",
    "[emulator:fail]",
    "[emulator:result_html]",
    "[emulator:drop_after_accept]",
)


@pytest.fixture
async def environment(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[Saga]:
    levels = {name: {"log_level": "debug"} for name in ("gateway", "credits", "generation", "storage")}
    async with saga(nats, s3, emulator, tmp_path, overrides=levels) as running:
        yield running


async def test_no_prompt_and_no_secret_reaches_a_log_line(environment: Saga) -> None:
    await environment.grant("ann", 1000)
    key, canary = await environment.key("ann"), f"canary{secrets.token_hex(8)}"
    await environment.stop("credits", "generation", "storage")
    processes = [environment.process(name) for name in ("credits", "generation", "storage", "gateway")]
    for process in processes:
        process.start()
    try:
        async with httpx.AsyncClient(base_url=environment.gateway_url, headers={"X-API-Key": key}) as http:
            await is_answering(http)
            made = []
            for marker in MARKERS:
                body = {"prompt": f"{canary} {marker}", "resolution": "480p", "duration": 2}
                made.append((await http.post("/api/video/generate", json=body)).json()["id"])
            await http.post("/api/video/generate", json={"prompt": f"{canary} --duration 12"})
            await http.post("/api/video/generate", content=f'{{"prompt": "{canary}'.encode())
        for generation in made:
            await environment.closed("ann", generation)
    finally:
        for process in processes:
            await process.terminate(5)

    logs = {path.name: path.read_text() for path in (environment.folder / "logs").glob("*.log")}
    assert set(logs) >= {"credits.log", "generation.log", "storage.log", "gateway.log"}
    assert all(made[0] in text for name, text in logs.items() if name in ("gateway.log",))
    for secret in (canary, key, KEY, environment.s3.secret_key, "a secret of the tests"):
        assert [name for name, text in logs.items() if secret in text] == []
    assert_lines_have_ids(logs)


def assert_lines_have_ids(logs: dict[str, str]) -> None:
    """One JSON object a line; what is said inside a handler or a request names whose it is, and its trace."""
    services = ("credits.log", "generation.log", "storage.log", "gateway.log")
    lines = [json.loads(line) for name in services for line in logs[name].splitlines()]
    assert {line["service"] for line in lines} == {name.removesuffix(".log") for name in services}
    inside = [line for line in lines if "consumer" in line or "request_id" in line]
    assert {"generation.requested", "submission.refused", "copy.failed"} <= {line["event"] for line in inside}
    for line in inside:
        assert {"account", "generation", "trace_id", "span_id"} <= line.keys(), line


async def test_one_trace_from_the_request_to_the_last_event(environment: Saga) -> None:
    await environment.start("gateway")
    await environment.grant("ann", 1000)
    headers = {"X-API-Key": await environment.key("ann"), "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    async with httpx.AsyncClient(base_url=environment.gateway_url, headers=headers) as http:
        await is_answering(http)
        body = {"prompt": "a lighthouse", "resolution": "480p", "duration": 2}
        generation = (await http.post("/api/video/generate", json=body)).json()["id"]
    await environment.closed("ann", generation)

    events = [*await environment.video("ann", generation), *(await environment.ledger("ann"))[1:]]
    assert len(events) >= 7
    assert {recorded.envelope.correlation for recorded in events} == {generation}
    traces = [recorded.envelope.traceparent or "" for recorded in events]
    assert all(trace.startswith(f"00-{TRACE}-") for trace in traces)
    assert len(set(traces)) == len(traces)
