"""Restores a mirrored stream into an empty one: same subjects, headers, bodies and, where possible, sequences."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from telecine_auditor.audit.video_checks import ERASURE
from telecine_auditor.errors import CommandError
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.port import VIDEO, Source
from telecine_contracts.transparency import Frontier, leaf_hash

from .publisher import StreamPublisher

__all__ = ["Restore", "RestoreMismatch", "RestoreResult"]

_EXPECTATION = re.compile(rb"(?:\A|(?<=\r\n))nats-expected-[^\r\n]*\r\n", re.IGNORECASE)
_ERASED = f".{'.'.join(ERASURE)}"
_FILLER_HEAD = b"telecine-restore: filler\r\n"
_FILLER_PART = "telecine-restore"


def _account(subject: str) -> str:
    """The account in the subject of an event of VIDEO."""
    return subject.split(".")[1]


class RestoreMismatch(Exception):
    """An entry of the stream differs from that of the mirror."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        super().__init__(f"entry {sequence} of the stream is not the one in the mirror")


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The outcome for a stream: entries found from an earlier run, entries written, sequences left empty; its root."""

    stream: str
    found: int
    written: int
    left_empty: int
    last: int
    root: bytes


@dataclass(slots=True)
class _MatchedPrefix:
    """How many entries match, the tree over them, and the sequences of fillers between them."""

    count: int
    tree: Frontier
    fillers: list[int]


class Restore:
    """One stream of a mirror, and the stream of the server that is to become the same.

    `renumber`: sequences may differ; gaps are closed, and the headers with expected sequences are removed.
    """

    def __init__(self, mirror: Source, server: NatsSource, stream: str, *, renumber: bool = False) -> None:
        self._mirror, self._server, self._stream, self._renumber = mirror, server, stream, renumber
        self._erased: dict[str, int] | None = None

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> RestoreResult:
        """Write what is missing, then read everything back.

        Raises CommandError for a stream whose entries are not a prefix of the mirror's, SourceError, and
        RestoreMismatch when an entry that is read back differs.
        """
        info = await self._server.info(self._stream)
        config, last = info["config"], int(info["state"]["last_seq"])
        found = await self._found(last)
        gaps = await self._gaps(last)
        self._refuse_gaps(config, gaps, empty=not found.count)
        for sequence in found.fillers:
            await self._delete(sequence)
        written = await self._write(config, last, progress)
        end = await self._server.last(self._stream)
        same = await self._compared(end, progress) if written else found
        return RestoreResult(self._stream, found.count, written, sum(gaps.values()), end, same.tree.root())

    async def _found(self, last: int) -> _MatchedPrefix:
        try:
            return await self._compared(last)
        except RestoreMismatch as error:
            raise CommandError(
                f"stream {self._stream} is not empty, and does not begin like the mirror: {error}"
            ) from None

    async def _compared(self, upto: int, progress: Callable[[int], None] = lambda _: None) -> _MatchedPrefix:
        """Compare the stream up to sequence `upto` with the mirror. Raises RestoreMismatch."""
        same = _MatchedPrefix(0, Frontier(), [])
        async with aclosing(self._wanted(upto)) as wanted:
            due = await anext(wanted, None)
            async for entries in self._server.batches(self._stream, upto=upto):
                for entry in entries:
                    if entry.head == _FILLER_HEAD and (due is None or entry.sequence != due.sequence):
                        same.fillers.append(entry.sequence)
                        continue
                    if due is None or entry._replace(stored_at=due.stored_at) != due:
                        raise RestoreMismatch(entry.sequence)
                    same.tree.append(leaf_hash(entry.stated))
                    same.count += 1
                    due = await anext(wanted, None)
                progress(len(entries))
            if due is not None:
                raise RestoreMismatch(due.sequence)
        return same

    async def _wanted(self, upto: int = 2**63, *, after: int = 0) -> AsyncGenerator[StoredMessage, None]:
        """The entries that the stream must have after sequence `after`, up to and including `upto`."""
        count, erased = 0, await self._erasures()
        async for entries in self._mirror.batches(self._stream):
            for entry in entries:
                if self._is_erased(entry, erased):
                    continue
                count += 1
                if self._renumber:
                    entry = entry._replace(sequence=count, head=_EXPECTATION.sub(b"", entry.head))
                if entry.sequence > upto:
                    return
                if entry.sequence > after:
                    yield entry

    def _is_erased(self, entry: StoredMessage, erased: dict[str, int]) -> bool:
        if not erased or entry.subject.endswith(_ERASED):
            return False
        return entry.sequence < erased.get(_account(entry.subject), 0)

    async def _erasures(self) -> dict[str, int]:
        """Sequence of the last AccountErased of each account: what the mirror has before it is not restored."""
        if self._stream != VIDEO:
            return {}
        if self._erased is None:
            self._erased = {}
            async for entries in self._mirror.batches(VIDEO):
                for entry in entries:
                    if entry.subject.endswith(_ERASED):
                        self._erased[_account(entry.subject)] = entry.sequence
        return self._erased

    async def _gaps(self, after: int) -> dict[int, int]:
        """Sequences after `after` that the mirror does not have: the first of each gap, and how many."""
        gaps, due = {}, after + 1
        async with aclosing(self._wanted(after=after)) as wanted:
            async for entry in wanted:
                if entry.sequence > due:
                    gaps[due] = entry.sequence - due
                due = entry.sequence + 1
        return gaps

    def _refuse_gaps(self, config: dict[str, Any], gaps: dict[int, int], *, empty: bool) -> None:
        """Raise CommandError for a gap that the stream does not allow."""
        # A gap is created by deletion, the one before the first entry by a purge. LEDGER allows neither.
        blocked = [gap for gap in gaps if config.get("deny_delete") and not (empty and gap == 1)]
        if config.get("deny_purge") and config.get("deny_delete") and 1 in gaps:
            blocked.append(1)
        if blocked:
            first = min(blocked)
            raise CommandError(
                f"sequence {first} of {self._stream} is missing in the mirror, and the stream does not allow to leave "
                "it empty: --renumber closes gaps, and entries after them get other sequences"
            )

    async def _write(self, config: dict[str, Any], last: int, progress: Callable[[int], None]) -> int:
        replicated = int(config.get("num_replicas", 1)) > 1
        written, due = 0, last + 1
        async with StreamPublisher(self._server.client, self._stream, replicated=replicated) as publisher:
            async with aclosing(self._wanted(after=last)) as wanted:
                async for entry in wanted:
                    if entry.sequence > due:
                        await publisher.settle()
                        await self._leave_empty(publisher, config, due, entry.sequence)
                    await publisher.write(entry)
                    written, due = written + 1, entry.sequence + 1
                    progress(1)
            await publisher.settle()
        return written

    async def _leave_empty(
        self, publisher: StreamPublisher, config: dict[str, Any], first: int, following: int
    ) -> None:
        """Use up the sequences from `first` to before `following`."""
        if first == 1 and not config.get("deny_purge"):
            # A purge of an empty stream only moves its first sequence.
            await self._server.must(f"STREAM.PURGE.{self._stream}", {"seq": following})
            return
        subject = re.sub(r"[*>]", _FILLER_PART, config["subjects"][0])
        for sequence in range(first, following):
            await publisher.write(StoredMessage(sequence, 0, subject, _FILLER_HEAD, b""))
        await publisher.settle()
        for sequence in range(first, following):
            await self._delete(sequence)

    async def _delete(self, sequence: int) -> None:
        await self._server.must(f"STREAM.MSG.DELETE.{self._stream}", {"seq": sequence, "no_erase": True})
