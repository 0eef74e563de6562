"""Queries of the read model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from .tables import PendingCopyRow, StoredVideoRow


@dataclass(frozen=True, slots=True)
class PendingCopy:
    """A video that is ready at the provider and not stored yet; `traceparent` of its VideoReady."""

    account: str
    generation: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A stored video: its key in the bucket and its size in bytes."""

    account: str
    generation: str
    key: str
    bytes: int


def pending_copies(engine: Engine) -> Sequence[PendingCopy]:
    """All videos that are not stored yet."""
    with Session(engine) as session:
        rows = session.exec(select(PendingCopyRow)).all()
        return [PendingCopy(row.account, row.generation, row.traceparent) for row in rows]


def count_pending_copies(engine: Engine) -> int:
    """How many videos are ready and not stored yet."""
    with Session(engine) as session:
        return session.exec(select(func.count()).select_from(PendingCopyRow)).one()


def recoverable_videos(engine: Engine, bucket: str, after: datetime) -> Sequence[StoredVideo]:
    """Videos stored in `bucket` whose URL at the provider is still valid at `after`."""
    query = select(StoredVideoRow).where(
        StoredVideoRow.bucket == bucket, col(StoredVideoRow.url_expires_at) > after
    )
    with Session(engine) as session:
        rows = session.exec(query).all()
        return [StoredVideo(row.account, row.generation, row.key, row.bytes) for row in rows]
