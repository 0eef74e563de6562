"""Spans of one service: where they belong, what they link to, and that without an exporter only the context travels."""

from collections.abc import Iterator

import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from tests.support.telemetry.spans import FinishedSpans, id_of, trace_of

from telecine_chassis.telemetry.trace_context import child_traceparent, trace_log_fields
from telecine_chassis.telemetry.tracing import (
    Tracing,
    bind_context,
    current_traceparent,
    mark_failed,
    producer_span,
    span,
    timer_trace_headers,
    trace_headers,
    use_traceparent,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CAUSE = f"00-{TRACE}-{SPAN}-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT = "5bf92f35-77b3-5da6-a3ce-929d0e0e4736"


@pytest.fixture
def kept() -> FinishedSpans:
    return FinishedSpans(InMemorySpanExporter())


@pytest.fixture
def tracing(kept: FinishedSpans) -> Tracing:
    recording = Tracing("tests", instance="one")
    recording.export(kept.exporter, at_once=True)
    return recording


@pytest.fixture(autouse=True)
def log_context() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def test_a_span_is_a_child_of_its_cause(tracing: Tracing, kept: FinishedSpans) -> None:
    with tracing.entry_span("process it", parent=CAUSE, attributes={"telecine.event_type": "it.v1"}):
        with span("ask outside", kind=SpanKind.CLIENT):
            pass
        bind_context(generation="g1")
    work, step = kept.named("process it")[0], kept.named("ask outside")[0]
    assert trace_of(work) == TRACE
    assert work.parent is not None
    assert f"{work.parent.span_id:016x}" == SPAN
    assert work.kind is SpanKind.CONSUMER
    assert kept.parent(step) == work
    assert dict(work.attributes or {}) == {"telecine.event_type": "it.v1", "telecine.generation": "g1"}
    assert structlog.contextvars.get_contextvars() == {"generation": "g1"}
    assert dict(work.resource.attributes)["service.name"] == "telecine-tests"
    assert dict(work.resource.attributes)["service.instance.id"] == "one"


def test_an_event_is_sent_in_the_trace_of_its_cause(tracing: Tracing, kept: FinishedSpans) -> None:
    with tracing.entry_span("process it", parent=CAUSE), producer_span("send it", EVENT, CAUSE, dict) as same:
        pass
    with tracing.entry_span("wake", parent=OTHER), producer_span("send late", EVENT, CAUSE, dict) as late:
        pass
    work, sent = kept.named("process it")[0], kept.named("send it")[0]
    assert (kept.parent(sent), sent.links) == (work, ())
    assert same == f"00-{TRACE}-{id_of(sent):016x}-01"
    wake, sent = kept.named("wake")[0], kept.named("send late")[0]
    assert trace_of(wake) == OTHER[3:35]
    assert trace_of(sent) == TRACE
    assert kept.linked(sent) == [wake]
    assert late == f"00-{TRACE}-{id_of(sent):016x}-01"


def test_a_timer_carries_where_it_comes_from(tracing: Tracing, kept: FinishedSpans) -> None:
    with tracing.entry_span("process it", parent=CAUSE):
        headers = timer_trace_headers()
    (work,) = kept.named("process it")
    assert headers == {"traceparent": CAUSE, "telecine-set-by": f"00-{TRACE}-{id_of(work):016x}-01"}
    with tracing.entry_span("wake", parent=headers["traceparent"], link=headers["telecine-set-by"]):
        again = timer_trace_headers()
    (wake,) = kept.named("wake")
    assert kept.linked(wake) == [work]
    assert again["traceparent"] == CAUSE, "however often it is set again"


def test_a_request_is_the_beginning_of_what_follows(tracing: Tracing, kept: FinishedSpans) -> None:
    with tracing.entry_span("GET /", kind=SpanKind.SERVER, parent=CAUSE):
        headers, asked = timer_trace_headers(), trace_headers()
    (request,) = kept.named("GET /")
    assert headers == asked == {"traceparent": f"00-{TRACE}-{id_of(request):016x}-01"}


def test_without_an_exporter_the_context_travels_all_the_same(kept: FinishedSpans) -> None:
    off = Tracing("tests")
    with off.entry_span("process it", parent=CAUSE), span("step") as step:
        assert not step.is_recording()
        assert current_traceparent() == CAUSE
        assert timer_trace_headers() == {"traceparent": CAUSE}
        with producer_span("send it", EVENT, CAUSE, dict) as sent:
            assert sent == child_traceparent(CAUSE, EVENT) == f"00-{TRACE}-5bf92f3577b35da6-01"
        with producer_span("send it", EVENT, None, dict) as sent:
            assert sent == child_traceparent(CAUSE, EVENT), (
                "what is under way is the cause that was not named"
            )
    assert current_traceparent() is None
    with use_traceparent(CAUSE):
        assert timer_trace_headers() == {"traceparent": CAUSE}
    assert timer_trace_headers() == {}


def test_an_invalid_context_starts_a_new_trace(tracing: Tracing, kept: FinishedSpans) -> None:
    for given in (None, "", "nonsense", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"{CAUSE}0"):
        assert trace_log_fields(given) == {}
        with tracing.entry_span(f"from {given}", parent=given):
            pass
        (work,) = kept.named(f"from {given}")
        assert work.parent is None


def test_two_services_in_one_process_record_for_themselves(tracing: Tracing, kept: FinishedSpans) -> None:
    others = FinishedSpans(InMemorySpanExporter())
    second = Tracing("second")
    second.export(others.exporter, at_once=True)
    with tracing.entry_span("first"), second.entry_span("second"), span("step"):
        pass
    assert [span.name for span in kept.all] == ["first"]
    assert [span.name for span in others.all] == ["step", "second"]


class Patience(Exception):
    """Raised to be asked again."""


def test_an_error_is_told_by_its_class_alone(tracing: Tracing, kept: FinishedSpans) -> None:
    for error in (ValueError("https://secret"), Patience("not yet")):
        with pytest.raises(type(error)), tracing.entry_span(type(error).__name__, expected=(Patience,)):
            raise error
    (wrong,), (waits,) = kept.named("ValueError"), kept.named("Patience")
    assert (wrong.status.status_code, wrong.status.description) == (StatusCode.ERROR, "ValueError")
    assert dict(wrong.attributes or {}) == {"error.type": "ValueError"}
    assert wrong.events == ()
    assert waits.status.status_code is StatusCode.UNSET
    with tracing.entry_span("GET /") as request:
        mark_failed(request, "503")
    (request_span,) = kept.named("GET /")
    assert dict(request_span.attributes or {}) == {"error.type": "503"}


# Which traces are recorded


def recorded(ratio: float, kept: FinishedSpans, parent: str | None = None) -> int:
    """How many of a thousand pieces of work are recorded."""
    tracing = Tracing("tests", ratio=ratio)
    tracing.export(kept.exporter, at_once=True)
    for _ in range(1000):
        with tracing.entry_span("work", parent=parent), span("step"):
            pass
    return len(kept.named("work"))


def test_the_sampling_ratio_is_respected(kept: FinishedSpans) -> None:
    assert 100 < recorded(0.2, kept) < 300
    assert len(kept.named("step")) == len(kept.named("work"))


@pytest.mark.parametrize(("flag", "expected"), [("01", 1000), ("00", 0)])
def test_sampling_follows_the_parent_flag(kept: FinishedSpans, flag: str, expected: int) -> None:
    assert recorded(0.0 if expected else 1.0, kept, f"{CAUSE[:-2]}{flag}") == expected


def test_a_caller_cannot_raise_the_sampling_ratio() -> None:
    assert Tracing("tests", ratio=1).apply_sampling(CAUSE) == CAUSE
    assert Tracing("tests", ratio=0).apply_sampling(CAUSE) == f"{CAUSE[:-2]}00"
    assert Tracing("tests", ratio=1).apply_sampling(f"{CAUSE[:-2]}00") == f"{CAUSE[:-2]}00"
