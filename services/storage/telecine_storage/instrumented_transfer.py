"""Metrics and a span for each transfer."""

from telecine_chassis.telemetry.tracing import SpanKind, span
from telecine_storage.bucket.port import Bucket
from telecine_storage.source.port import Source

from .instruments import CopyInstruments
from .transfer import CopyFailed, TransferLimits, TransferResult, transfer


class InstrumentedTransfer:
    """`transfer` with metrics and a span."""

    def __init__(self, meters: CopyInstruments) -> None:
        self._meters = meters

    async def __call__(
        self,
        source: Source,
        bucket: Bucket,
        *,
        url: str,
        key: str,
        limits: TransferLimits,
        sha256: str | None = None,
    ) -> TransferResult:
        """See `transfer`. The span has neither URL nor key: the URL may be signed, and the key contains an account."""
        meters, outcome = self._meters, "broken_off"
        try:
            with (
                span("copy video", kind=SpanKind.CLIENT) as step,
                meters.running.track_inprogress(),
                meters.seconds.time(),
            ):
                try:
                    copied = await transfer(source, bucket, url=url, key=key, limits=limits, sha256=sha256)
                    outcome = "stored"
                    step.set_attribute("telecine.bytes", copied.bytes)
                except CopyFailed as error:
                    outcome = error.kind.value
                    raise
                finally:
                    step.set_attribute("telecine.outcome", outcome)
        finally:
            meters.copies.labels(outcome).inc()
        meters.bytes.inc(copied.bytes)
        return copied
