"""Spans as a test looks at them: by name, in a tree, with what they say."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

__all__ = ["FinishedSpans", "id_of", "trace_of"]


def trace_of(span: ReadableSpan) -> str:
    """The id of its trace, as it stands in headers."""
    return f"{_context(span).trace_id:032x}"


def id_of(span: ReadableSpan) -> int:
    """The span's own id."""
    return _context(span).span_id


def _context(span: ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


@dataclass(frozen=True)
class FinishedSpans:
    """The finished spans of one or several services."""

    exporter: InMemorySpanExporter

    @property
    def all(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, name: str, trace: str | None = None) -> list[ReadableSpan]:
        """Those of this name, in order of time; of one trace or of all."""
        found = [span for span in self.all if span.name == name and trace in (None, trace_of(span))]
        return sorted(found, key=lambda span: span.start_time or 0)

    def beginning(self, name: str) -> list[ReadableSpan]:
        """Those whose name begins so."""
        return [span for span in self.all if span.name.startswith(name)]

    def parent(self, span: ReadableSpan) -> ReadableSpan | None:
        """The span it belongs to, if that is among these."""
        above = span.parent
        return next((s for s in self.all if above is not None and id_of(s) == above.span_id), None)

    def linked(self, span: ReadableSpan) -> list[ReadableSpan | None]:
        """The spans it links to; None for one that is not among these."""
        ids = [link.context.span_id for link in span.links]
        return [next((s for s in self.all if id_of(s) == id), None) for id in ids]

    def tree(self, trace: str, told: Callable[[ReadableSpan], str]) -> list[str]:
        """The spans of a trace, a line each, indented under the one they belong to, in order of time."""
        mine = sorted((s for s in self.all if trace_of(s) == trace), key=lambda s: s.start_time or 0)
        ids = {id_of(span) for span in mine}

        def lines(of: int | None, depth: int) -> Iterator[str]:
            for span in mine:
                above = span.parent.span_id if span.parent and span.parent.span_id in ids else None
                if above == of:
                    yield "  " * depth + told(span)
                    yield from lines(id_of(span), depth + 1)

        return list(lines(None, 0))
