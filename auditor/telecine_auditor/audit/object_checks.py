"""Compares every VideoStored event with the object that it names."""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.errors import CommandError
from telecine_auditor.ledger.header_parser import UnreadableEntry, parse_headers, printable
from telecine_auditor.ledger.strict_json import parse_strict_json
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.port import VIDEO, Source
from telecine_auditor.terminal.progress import Progress

from .object_store import ObjectStore
from .video_checks import ERASURE

__all__ = ["ObjectChecks"]

_ERASED = f".{'.'.join(ERASURE)}"
_TYPE = "video.stored.v1"
_HASH = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 4
_KEPT_UNKNOWN = 1000


class _StoredVideo(NamedTuple):
    """Size, hash and place of one VideoStored event."""

    sequence: int
    account: str
    generation: str
    bytes: int
    sha256: str


Place = tuple[str, str]
"""Bucket and key."""


class ObjectChecks:
    """Reads VIDEO, then asks the object store; what differs goes to `on_breach`.

    `bucket`: look there, whatever bucket the events name, e.g. in a copy. `deep`: read every object, compare hashes.
    After `run`: `videos` objects were looked for, `bytes` is their size as the events say, `sequence` the last of
    VIDEO, `erased` the videos of erased accounts that a mirror still names, `unknown` counts objects that no event
    names (`unknown_keys`: the first ones), `newer` the events of a version that this program does not know.
    """

    def __init__(
        self,
        store: ObjectStore,
        on_breach: Callable[[Breach], None],
        *,
        bucket: str | None,
        deep: bool,
        quiet: bool,
    ) -> None:
        self.videos = 0
        self.bytes = 0
        self.sequence = 0
        self.newer = 0
        self.erased = 0
        self.unknown = 0
        self.unknown_keys: list[str] = []
        self._store = store
        self._on_breach = on_breach
        self._bucket = bucket
        self._deep = deep
        self._quiet = quiet
        self._stored: dict[Place, _StoredVideo] = {}

    async def run(self, source: Source) -> None:
        """Run all checks. Raises CommandError if VIDEO or the object store cannot be read."""
        await self._read(source)
        self.videos = len(self._stored)
        self.bytes = sum(stored.bytes for stored in self._stored.values())
        doubtful = await asyncio.to_thread(self._doubtful)
        await self._each("looking for objects", doubtful, self._judge_size)
        if self._deep:
            await self._each("reading objects", [*self._stored], self._judge_hash)

    async def _read(self, source: Source) -> None:
        if not await source.has(VIDEO):
            raise CommandError(
                "objects are named by VIDEO, which cannot be read here: this identity may not read it"
            )
        with Progress("reading VIDEO", await source.last(VIDEO), not self._quiet) as progress:
            async for batch in source.batches(VIDEO):
                for entry in batch:
                    self.sequence = entry.sequence
                    if entry.subject.endswith(".stored"):
                        self._take(entry)
                    elif entry.subject.endswith(_ERASED):
                        self._forget(entry.subject.split(".")[1])
                progress.advance(len(batch))

    def _take(self, entry: StoredMessage) -> None:
        try:
            stated = parse_headers(entry.head).get("ce-type")
            if stated != _TYPE:
                self.newer += 1
                return
            place, stored = _read_stored(entry)
        except UnreadableEntry as problem:
            self._on_breach(Breach(problem.kind, str(problem), VIDEO, entry.sequence))
            return
        self._stored[self._bucket or place[0], place[1]] = stored

    def _forget(self, account: str) -> None:
        """The objects of an account that is erased here were deleted."""
        gone = [place for place, stored in self._stored.items() if stored.account == account]
        for place in gone:
            del self._stored[place]
        self.erased += len(gone)

    def _doubtful(self) -> list[Place]:
        """Objects that differ in the listings. A listing may lag, so these are checked again one by one."""
        found: set[Place] = set()
        for bucket, prefix in _prefixes(self._stored):
            for key, size in self._store.sizes(bucket, prefix):
                stored = self._stored.get((bucket, key))
                if stored is None:
                    self._unknown(bucket, key)
                elif stored.bytes == size:
                    found.add((bucket, key))
        return [place for place in self._stored if place not in found]

    def _unknown(self, bucket: str, key: str) -> None:
        self.unknown += 1
        if len(self.unknown_keys) < _KEPT_UNKNOWN:
            self.unknown_keys.append(f"{bucket}/{key}")

    async def _each(self, label: str, places: list[Place], judge: Callable[[Place], Breach | None]) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)
        with Progress(label, len(places), not self._quiet) as progress:

            async def one(place: Place) -> Breach | None:
                async with slots:
                    breach = await asyncio.to_thread(judge, place)
                progress.advance()
                return breach

            for start in range(0, len(places), 1000):
                for breach in await asyncio.gather(*map(one, places[start : start + 1000])):
                    if breach is not None:
                        self._on_breach(breach)

    def _judge_size(self, place: Place) -> Breach | None:
        stored, found = self._stored[place], self._store.size(*place)
        if found == stored.bytes:
            return None
        del self._stored[place]  # it need not be read as well
        if found is None:
            return _breach(BreachKind.OBJECT_MISSING, stored, place, f"{stored.bytes} bytes were stored")
        return _breach(
            BreachKind.OBJECT_DIFFERS, stored, place, f"has {found} bytes, {stored.bytes} were stored"
        )

    def _judge_hash(self, place: Place) -> Breach | None:
        stored, found = self._stored[place], self._store.sha256(*place)
        if found == stored.sha256:
            return None
        if found is None:
            return _breach(BreachKind.OBJECT_MISSING, stored, place, f"{stored.bytes} bytes were stored")
        return _breach(
            BreachKind.OBJECT_DIFFERS, stored, place, f"has SHA-256 {found}, {stored.sha256} was stored"
        )


def _breach(kind: BreachKind, stored: _StoredVideo, place: Place, message: str) -> Breach:
    name = printable("/".join(place))[1:-1]
    return Breach(kind, f"{name}: {message}", VIDEO, stored.sequence, stored.account, stored.generation)


def _prefixes(places: Iterable[Place]) -> list[tuple[str, str]]:
    """Each bucket with the first folders of the keys in it: other things may lie beside the videos."""
    return sorted({(bucket, f"{key.partition('/')[0]}/" if "/" in key else "") for bucket, key in places})


def _read_stored(entry: StoredMessage) -> tuple[Place, _StoredVideo]:
    """The stored object that the event describes. Raises UnreadableEntry."""
    body: Any = parse_strict_json(entry.body)
    if type(body) is not dict:
        raise UnreadableEntry("the body is not a JSON object")
    texts = [body.get(name) for name in ("account", "generation", "bucket", "key", "sha256")]
    if not all(type(text) is str and text for text in texts):
        raise UnreadableEntry("account, generation, bucket, key and sha256 must be texts")
    account, generation, bucket, key, sha256 = map(str, texts)
    size = body.get("bytes")
    if type(size) is not int or size < 1:
        raise UnreadableEntry(f"bytes is {printable(size)}, not a whole number from 1")
    if _HASH.fullmatch(sha256) is None:
        raise UnreadableEntry(f"sha256 is {printable(sha256)}, not 64 hexadecimal digits")
    if entry.subject != f"video.{account}.{generation}.stored":
        raise UnreadableEntry(
            "the body is about another generation than the subject", BreachKind.WRONG_SUBJECT
        )
    return (bucket, key), _StoredVideo(entry.sequence, account, generation, size, sha256)
