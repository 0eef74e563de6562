"""Metrics of the storage service, in addition to those of every service."""

from collections.abc import Iterator
from contextlib import contextmanager

from telecine_chassis.telemetry.measurement import Measurement, measured
from telecine_chassis.telemetry.metrics import LONG_BUCKETS, Metrics
from telecine_chassis.telemetry.tracing import SpanKind, span
from telecine_storage.transfer.transfer import CopyFailed


class CopyInstruments:
    """Metrics of copies from the provider to the bucket."""

    def __init__(self, metrics: Metrics) -> None:
        self.copies = metrics.counter(
            "telecine_copies",
            "Copies by outcome: stored, the side that failed (source or bucket), or broken_off",
            "outcome",
        )
        self.bytes = metrics.counter("telecine_copied_bytes", "Bytes of videos that were stored")
        self.seconds = metrics.histogram(
            "telecine_copy_duration_seconds", "How long one try to copy takes", bounds=LONG_BUCKETS
        )
        self.running = metrics.gauge("telecine_copies_running", "Copies under way")
        self.recopies = metrics.counter(
            "telecine_recopies",
            "Stored videos whose object was missing or incomplete, by outcome: copied (again) or lost",
            "outcome",
        )
        for outcome in ("copied", "lost"):
            # Exported from 0, so that the first increment shows as an increase.
            self.recopies.labels(outcome)

    @contextmanager
    def measured_transfer(self) -> Iterator[Measurement]:
        """Measures a transfer in a span, which has neither URL (it may be signed) nor key (it contains an account)."""
        step = span("copy video", kind=SpanKind.CLIENT)
        with measured(
            self.copies, seconds=self.seconds, running=self.running, span=step, default="broken_off"
        ) as measurement:
            try:
                yield measurement
            except CopyFailed as error:
                measurement.outcome = error.kind.value
                raise
