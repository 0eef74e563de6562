"""Sampling: which traces are recorded."""

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

__all__ = ["LinkedRatioSampler"]


class LinkedRatioSampler(Sampler):
    """Samples a span like its parent, else like the spans it links to, else a `ratio` of all."""

    def __init__(self, ratio: float) -> None:
        self._ratio = TraceIdRatioBased(ratio)
        self._with_parent = ParentBased(self._ratio)

    def takes(self, trace_id: int) -> bool:
        """Whether a trace with this id is recorded."""
        return self._ratio.should_sample(None, trace_id, "").decision is Decision.RECORD_AND_SAMPLE

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        alone = not trace.get_current_span(parent_context).get_span_context().is_valid
        linked = any(link.context.trace_flags.sampled for link in links or ())
        sampler = ALWAYS_ON if alone and linked else self._with_parent
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links)

    def get_description(self) -> str:
        return f"LinkedRatioSampler{{{self._ratio.get_description()}}}"
