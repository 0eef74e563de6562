"""In-memory bucket for tests."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from .port import BucketError, BucketUnavailable


@dataclass
class MemoryBucket:
    """Keeps `objects` by key; while `failure` is set, every call raises it."""

    objects: dict[str, bytes] = field(default_factory=dict)
    failure: BucketError | None = None

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        self._raise_scripted_failure()
        body = b"".join([chunk async for chunk in chunks])
        self.objects[key] = body
        return len(body)

    async def confirm(self, key: str, length: int, sha256: str) -> None:
        self._raise_scripted_failure()
        body = self.objects.get(key, b"")
        if (len(body), hashlib.sha256(body).hexdigest()) != (length, sha256):
            self.objects.pop(key, None)
            raise BucketUnavailable("the object differs from what was sent")

    async def head(self, key: str) -> int | None:
        self._raise_scripted_failure()
        body = self.objects.get(key)
        return None if body is None else len(body)

    async def delete(self, key: str) -> None:
        self._raise_scripted_failure()
        self.objects.pop(key, None)

    async def keys(self, prefix: str) -> Sequence[str]:
        self._raise_scripted_failure()
        return [key for key in self.objects if key.startswith(prefix)]

    async def abort_leftovers(self, key: str) -> None:
        self._raise_scripted_failure()

    def _raise_scripted_failure(self) -> None:
        if self.failure is not None:
            raise self.failure
