"""Traces go to a collector over OTLP/HTTP; a missing one delays no work."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telecine_chassis.telemetry import tracing as tracing_module
from telecine_chassis.telemetry.tracing import Tracing, bind_context
from telecine_cli.stack.ports import LOOPBACK, free_port


@dataclass
class Collector:
    """What was sent: the service, and the names and attributes of its spans."""

    port: int
    paths: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    spans: dict[str, dict[str, str]] = field(default_factory=dict)

    def take(self, path: str, body: bytes) -> None:
        self.paths.append(path)
        for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
            facts = {fact.key: fact.value.string_value for fact in of_service.resource.attributes}
            self.services.append(facts["service.name"])
            for scope in of_service.scope_spans:
                for span in scope.spans:
                    self.spans[span.name] = {a.key: a.value.string_value for a in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    told = Collector(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


async def test_spans_arrive_at_the_collector(collector: Collector) -> None:
    tracing = Tracing("tests", endpoint=f"http://{LOOPBACK}:{collector.port}/", instance="one")
    await tracing.start()
    with tracing.entry_span("process it"):
        bind_context(generation="g1")
    await tracing.stop()
    assert collector.paths == ["/v1/traces"]
    assert collector.services == ["telecine-tests"]
    assert collector.spans == {"process it": {"telecine.generation": "g1"}}


async def test_a_stopped_service_may_start_again(collector: Collector) -> None:
    tracing = Tracing("tests", endpoint=f"http://{LOOPBACK}:{collector.port}")
    for name in ("first", "second"):
        await tracing.start()
        with tracing.entry_span(name):
            pass
        await tracing.stop()
    with tracing.entry_span("third"):
        pass
    assert list(collector.spans) == ["first", "second"]


async def test_without_a_collector_work_goes_on_and_a_stop_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing_module, "FLUSH", 1)
    tracing = Tracing("tests", endpoint=f"http://{LOOPBACK}:{free_port()}")
    await tracing.start()
    for _ in range(100):
        with tracing.entry_span("process it"):
            pass
    async with asyncio.timeout(20):
        await tracing.stop()
