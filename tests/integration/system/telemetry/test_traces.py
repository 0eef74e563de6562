"""One trace from the HTTP request through every service to the stored object, with links over the waiting times."""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from tests.support.environments.saga import KEY, Emulator, Saga, is_answering, saga
from tests.support.servers.instances import NatsServer, S3Server
from tests.support.telemetry.spans import FinishedSpans, id_of, trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
SHORT = {"resolution": "480p", "duration": 2}
POLL_SPAN = "process timers.due.generation.poll.{bucket}"
PROGRESS_SPAN = "generation: send video.{account}.{generation}.progressed"
POLLS = {"generation": {"poll_interval": 0.5, "sweep_interval": 60}}
"""Few polls, and no timer that the sweeper sets because it sees none while one is handled."""


@pytest.fixture
def finished_spans() -> FinishedSpans:
    return FinishedSpans(InMemorySpanExporter())


@pytest.fixture
async def environment(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path, finished_spans: FinishedSpans
) -> AsyncIterator[Saga]:
    async with saga(nats, s3, emulator, tmp_path, spans=finished_spans.exporter, overrides=POLLS) as running:
        await running.start("gateway")
        yield running


@pytest.fixture
async def http(environment: Saga) -> AsyncIterator[httpx.AsyncClient]:
    await environment.grant("ann", 1000)
    headers = {"X-API-Key": await environment.key("ann")}
    async with httpx.AsyncClient(base_url=environment.gateway_url, headers=headers) as client:
        await is_answering(client)
        yield client


async def request_generation(
    environment: Saga, http: httpx.AsyncClient, prompt: str = "a lighthouse", **headers: str
) -> str:
    """Ask for a video and wait until it is paid for."""
    body = {"prompt": prompt, **SHORT}
    answer = await http.post("/api/video/generate", json=body, headers=headers)
    generation: str = answer.json()["id"]
    await environment.closed("ann", generation)
    await environment.stop(*list(environment.services))  # the last spans end with their handlers
    return generation


def span_label(span: ReadableSpan) -> str:
    service = str(span.resource.attributes["service.name"]).removeprefix("telecine-")
    return f"{service}: {span.name}"


def without_progress(tree: list[str]) -> list[str]:
    """How often the provider's state is seen to change before the video is ready is a matter of luck."""
    kept, removed = list[str](), 0
    for line in tree:
        if line.endswith(PROGRESS_SPAN):
            removed += 1
        else:
            kept.append(line[2 * removed :])
    return kept


async def test_one_trace_from_the_request_to_the_stored_object(
    environment: Saga, http: httpx.AsyncClient, finished_spans: FinishedSpans
) -> None:
    generation = await request_generation(
        environment, http, "a [emulator:task_seconds=1.2] lighthouse", traceparent=CALLER
    )

    (root,) = finished_spans.named("POST /api/video/generate")
    assert root.parent is not None
    assert f"{root.parent.span_id:016x}" == CALLER.split("-")[2]
    # No model has a limit here, so the end of a generation frees no place.
    release = "generation: process video.{account}.{generation}.ready"
    tree = without_progress(finished_spans.tree(TRACE, span_label))
    assert [line for line in tree if line.strip() != release] == [
        "gateway: POST /api/video/generate",
        "  gateway: send video.{account}.{generation}.requested",
        "    credits: process video.{account}.{generation}.requested",
        "      credits: send ledger.{account}.debited",
        "        generation: process ledger.{account}.debited",
        "          generation: send video.{account}.{generation}.submission_started",
        "          generation: provider submit",
        "          generation: send video.{account}.{generation}.submitted",
        "            generation: send video.{account}.{generation}.ready",
        "              storage: process video.{account}.{generation}.ready",
        "                storage: copy video",
        "                storage: send video.{account}.{generation}.stored",
        "                  credits: process video.{account}.{generation}.stored",
        "                    credits: send ledger.{account}.settled",
    ]
    assert_span_attributes(finished_spans, generation)
    assert_waits_are_links(finished_spans)
    await assert_events_name_their_spans(environment, generation, finished_spans)


def assert_span_attributes(finished_spans: FinishedSpans, generation: str) -> None:
    of_trace = [span for span in finished_spans.all if trace_of(span) == TRACE]
    assert [span.name for span in of_trace if span.status.status_code is StatusCode.ERROR] == []
    assert [span.name for span in of_trace if generation in span.name or "ann" in span.name.split(".")] == []
    about = {span.name: dict(span.attributes or {}) for span in of_trace}
    for name, said in about.items():
        if name.startswith(("send", "process", "POST")):
            assert (said["telecine.account"], said["telecine.generation"]) == ("ann", generation), name
    assert about["provider submit"]["telecine.outcome"] == "accepted"
    assert about["copy video"]["telecine.outcome"] == "stored"
    submitting = about["process ledger.{account}.debited"]
    assert submitting["telecine.event_type"] == "credits.debited.v1"
    assert submitting["messaging.consumer.group.name"] == "generation-submit"


def assert_waits_are_links(finished_spans: FinishedSpans) -> None:
    """The polls of a bucket are traces of their own; what one of them found links to it."""
    polls = finished_spans.named(POLL_SPAN)
    assert [finished_spans.parent(poll) for poll in polls] == [None] * len(polls)
    assert len({trace_of(poll) for poll in polls}) == len(polls), (
        "no poll continues the trace of the one before"
    )
    (ready,) = finished_spans.named("send video.{account}.{generation}.ready")
    (poll,) = finished_spans.linked(ready)
    assert poll in polls


async def assert_events_name_their_spans(
    environment: Saga, generation: str, finished_spans: FinishedSpans
) -> None:
    events = [*await environment.video("ann", generation), *(await environment.ledger("ann"))[1:]]
    contexts = [(event.envelope.traceparent or "").split("-") for event in events]
    assert {context[1] for context in contexts} == {TRACE}
    sending = [span for span in finished_spans.beginning("send ") if trace_of(span) == TRACE]
    spans = sorted(f"{id_of(span):016x}" for span in sending)
    assert sorted(context[2] for context in contexts) == spans


async def test_what_fails_is_marked_and_says_nothing_it_must_not(
    environment: Saga, http: httpx.AsyncClient, finished_spans: FinishedSpans
) -> None:
    canary = f"canary{secrets.token_hex(8)}"
    await request_generation(environment, http, f"{canary} [emulator:result_html]")

    copies = finished_spans.named("copy video")
    assert copies
    for copy in copies:
        assert copy.status.status_code is StatusCode.ERROR
        assert (copy.attributes or {})["telecine.outcome"] == "source"
        assert (copy.attributes or {})["error.type"] == "CopyFailed"
        assert copy.events == (), "an exception's text may hold a URL"
    text = json.dumps([json.loads(span.to_json()) for span in finished_spans.all])
    key = http.headers["X-API-Key"]
    for secret in (
        canary,
        key,
        KEY,
        environment.s3.secret_key,
        "a secret of the tests",
        "http://",
        "https://",
    ):
        assert secret not in text


async def test_unsampled_trace_is_not_recorded(
    environment: Saga, http: httpx.AsyncClient, finished_spans: FinishedSpans
) -> None:
    """A caller may say so, and probes are not; but events carry the caller's trace all the same."""
    (await http.get("/readyz")).raise_for_status()
    (await http.get("/healthz")).raise_for_status()
    assert (await http.get("/nowhere/at-all")).status_code == 404
    generation = await request_generation(environment, http, traceparent=f"{CALLER[:-2]}00")

    assert [span.name for span in finished_spans.all if trace_of(span) == TRACE] == []
    events = await environment.video("ann", generation)
    contexts = {(event.envelope.traceparent or "") for event in events}
    assert {context[:36] for context in contexts} == {f"00-{TRACE}-"}
    assert {context[-2:] for context in contexts} == {"00"}
    assert {span.name for span in finished_spans.beginning("GET ")} == {"GET /api/credits", "GET unmatched"}
