"""What is asked of the storage service's own tables."""

from collections.abc import Sequence

from sqlalchemy import Engine, func
from sqlmodel import Session, select

from .tables import PendingCopy


def pending_copies(engine: Engine) -> Sequence[PendingCopy]:
    """Every generation whose video is not stored yet."""
    with Session(engine) as session:
        return session.exec(select(PendingCopy)).all()


def copies_owed(engine: Engine) -> int:
    """How many videos are ready and not stored yet."""
    with Session(engine) as session:
        return session.exec(select(func.count()).select_from(PendingCopy)).one()
