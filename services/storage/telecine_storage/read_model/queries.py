"""What is asked of the storage service's own tables."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from .tables import PendingCopy, StoredVideo


def pending_copies(engine: Engine) -> Sequence[PendingCopy]:
    """Every generation whose video is not stored yet."""
    with Session(engine) as session:
        return session.exec(select(PendingCopy)).all()


def copies_owed(engine: Engine) -> int:
    """How many videos are ready and not stored yet."""
    with Session(engine) as session:
        return session.exec(select(func.count()).select_from(PendingCopy)).one()


def recoverable_videos(engine: Engine, bucket: str, after: datetime) -> Sequence[StoredVideo]:
    """Videos stored in `bucket` that the provider still has at `after`."""
    query = select(StoredVideo).where(StoredVideo.bucket == bucket, col(StoredVideo.url_expires_at) > after)
    with Session(engine) as session:
        return session.exec(query).all()
