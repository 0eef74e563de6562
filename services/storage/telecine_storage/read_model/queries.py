"""What is asked of the storage service's own tables."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from .tables import PendingCopyRow, StoredVideoRow


def pending_copies(engine: Engine) -> Sequence[PendingCopyRow]:
    """Every generation whose video is not stored yet."""
    with Session(engine) as session:
        return session.exec(select(PendingCopyRow)).all()


def count_pending_copies(engine: Engine) -> int:
    """How many videos are ready and not stored yet."""
    with Session(engine) as session:
        return session.exec(select(func.count()).select_from(PendingCopyRow)).one()


def recoverable_videos(engine: Engine, bucket: str, after: datetime) -> Sequence[StoredVideoRow]:
    """Videos stored in `bucket` that the provider still has at `after`."""
    query = select(StoredVideoRow).where(
        StoredVideoRow.bucket == bucket, col(StoredVideoRow.url_expires_at) > after
    )
    with Session(engine) as session:
        return session.exec(query).all()
