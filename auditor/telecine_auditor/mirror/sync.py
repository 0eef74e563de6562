"""Appends what is new in the streams to a mirror, and detects a stream that is no longer the mirrored one."""

from collections.abc import Callable, Sequence

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.port import CATALOG, CHECKPOINTS, LEDGER, Source

from .writer import StreamWriter

__all__ = ["StreamChanged", "sync_stream", "sync_targets"]

_NEVER_ERASED = (LEDGER, CHECKPOINTS, CATALOG)


class StreamChanged(Exception):
    """The stream no longer holds what was mirrored; nothing was written."""

    def __init__(self, breach: Breach) -> None:
        self.breach = breach
        super().__init__(breach.message)


async def sync_targets(source: Source, streams: Sequence[str]) -> dict[str, int]:
    """How far to copy each of the streams, in the order in which to copy them.

    Raises SourceError.
    """
    # The end of CHECKPOINTS is read first and the stream is copied last, so that a mirror never holds a checkpoint over
    # entries that it does not have. The end of VIDEO is read after that of LEDGER: a request precedes its charge.
    asked = sorted(streams, key=lambda stream: (stream != CHECKPOINTS, stream != LEDGER))
    lasts = {stream: await source.last(stream) for stream in asked}
    return {stream: lasts[stream] for stream in sorted(asked, key=CHECKPOINTS.__eq__)}


async def sync_stream(
    source: Source, stream: str, last: int, writer: StreamWriter, progress: Callable[[int], None]
) -> tuple[int, bool]:
    """Append what is new in `stream` up to `last`; how many entries, and whether the last mirrored one was erased.

    Only VIDEO can be erased. Raises StreamChanged, SourceError, CommandError.
    """
    known, new, erased = writer.last, 0, False
    if known and last < known.sequence:
        raise StreamChanged(_breach(BreachKind.TRUNCATED, known, stream, f"the stream ends at {last}"))
    unconfirmed = known
    async for entries in source.batches(stream, after=known.sequence - 1 if known else 0, upto=last):
        if unconfirmed:
            erased = _erased(unconfirmed, entries[0], stream)
            entries, unconfirmed = entries if erased else entries[1:], None
        writer.append(entries)
        new += len(entries)
        progress(len(entries))
    if unconfirmed:
        erased = _erased(unconfirmed, None, stream)
    writer.flush()
    return new, erased


def _erased(known: StoredMessage, found: StoredMessage | None, stream: str) -> bool:
    """Whether the last mirrored entry was erased. Raises StreamChanged if that is not allowed, or the entry differs."""
    if found is None or found.sequence != known.sequence:
        if stream in _NEVER_ERASED:
            raise StreamChanged(
                _breach(BreachKind.STREAM_CHANGED, known, stream, "the stream does not have it")
            )
        return True
    # The time of storage is the server's, and differs in a restored stream.
    if found._replace(stored_at=known.stored_at) != known:
        raise StreamChanged(
            _breach(BreachKind.STREAM_CHANGED, known, stream, "the stream has a different one")
        )
    return False


def _breach(kind: BreachKind, known: StoredMessage, stream: str, message: str) -> Breach:
    words = (
        f"entry {known.sequence} was mirrored, and now {message}: the stream was rewritten, or is another one"
    )
    return Breach(kind, words, stream=stream, sequence=known.sequence)
