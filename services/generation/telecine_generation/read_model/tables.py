"""Tables of the generation service: the generations that it still has to poll."""

from datetime import datetime

from sqlalchemy import Column, MetaData
from sqlmodel import Field, SQLModel

from telecine_chassis.projections.session import UtcTime

METADATA = MetaData()
VERSION = 5


class InFlightRow(SQLModel, table=True):
    """A generation that was claimed and has not ended, or whose late result is still awaited.

    `submitted_at`: the provider has confirmed it; then `task_id` and `deadline_at` are set, too. `status`: the
    provider's last recorded status. `flex`: the task is in the provider's offline tier. `cancelling`: the user has
    requested its cancellation. `ended`: it failed, and a late result may follow. `since` and `traceparent`: time and
    trace of the first claim. `retry_at`: earliest time of a deferred attempt.
    """

    metadata = METADATA
    __tablename__ = "in_flight"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    task_id: str | None = None
    submitted_at: datetime | None = Field(default=None, sa_column=Column(UtcTime, nullable=True))
    deadline_at: datetime | None = Field(default=None, sa_column=Column(UtcTime, nullable=True))
    status: str = ""
    flex: bool = False
    cancelling: bool = False
    ended: bool = False
    traceparent: str | None = None
    retry_at: datetime | None = Field(default=None, sa_column=Column(UtcTime, nullable=True))
    since: datetime = Field(sa_column=Column(UtcTime, nullable=False))
