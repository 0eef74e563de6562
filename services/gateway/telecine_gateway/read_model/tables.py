"""Tables of the gateway. Written by the projections alone; rebuilt from the streams, never migrated."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Column, Index, MetaData, Text
from sqlmodel import Field, SQLModel

from telecine_chassis.projections.session import UtcTime

from .charges import Charge

__all__ = [
    "METADATA",
    "VERSION",
    "ApiKey",
    "Balance",
    "ChargeRow",
    "GenerationRow",
    "GrantRow",
    "LedgerEntry",
    "PublishedPrices",
    "QueueEntry",
    "QueueTurn",
    "RateLimitRow",
    "SpendLimit",
    "VideoEvent",
]

METADATA = MetaData()
VERSION = 8
"""Version of the tables. Any change of them needs a new one; its tables are filled from the streams."""


class Table(SQLModel):
    """Base with metadata of its own: several services may run in one process."""

    metadata: ClassVar[MetaData] = METADATA


def _time(*, needed: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=not needed))


def _big(*, primary: bool = False) -> Any:
    return Field(sa_column=Column(BigInteger, primary_key=primary, autoincrement=False, nullable=False))


class GenerationRow(Table, table=True):
    """One generation. `requested_sequence` orders them; `sequence` is the last event that was applied.

    `options`: the parameters that most requests lack, by name; None without any.
    """

    __tablename__ = "generation"
    __table_args__ = (Index("generation_by_account", "account", "requested_sequence"),)

    id: str = Field(primary_key=True)
    account: str
    requested_sequence: int = _big()
    sequence: int = _big()
    requested_at: datetime = _time(needed=True)
    updated_at: datetime = _time(needed=True)
    ended_at: datetime | None = _time()
    status: str
    kind: str
    model: str
    prompt: str | None = Field(default=None, sa_column=Column(Text))
    image_url: str | None = Field(default=None, sa_column=Column(Text))
    last_frame_url: str | None = Field(default=None, sa_column=Column(Text))
    resolution: str
    ratio: str | None = None
    duration: int
    seed: int | None = Field(default=None, sa_column=Column(BigInteger))
    watermark: bool
    camera_fixed: bool | None = None
    options: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    price: int = _big()
    price_table: str
    provider_task_id: str | None = None
    provider_status: str | None = None
    error: str | None = Field(default=None, sa_column=Column(Text))
    error_code: str | None = None
    cancel_requested: bool = False
    bucket: str | None = None
    key: str | None = None
    bytes: int | None = Field(default=None, sa_column=Column(BigInteger))
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    stopgap_url: str | None = Field(default=None, sa_column=Column(Text))
    stopgap_expires_at: datetime | None = _time()


class VideoEvent(Table, table=True):
    """One event of a generation's timeline."""

    __tablename__ = "video_event"

    sequence: int = _big(primary=True)
    generation: str = Field(index=True)
    account: str
    type: str
    time: datetime = _time(needed=True)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class Balance(Table, table=True):
    """An account's balance in credits after its entry number `entry`.

    `at`: when that entry counts for statements. `attributed`: every entry so far names the grants whose credits it
    moved; where one did not (before 0.2), what is left of each grant is not known exactly, and is not shown.
    """

    __tablename__ = "balance"

    account: str = Field(primary_key=True)
    entry: int = _big()
    available: int = _big()
    held: int = _big()
    at: datetime = _time(needed=True)
    closed: bool = False
    attributed: bool = True


class GrantRow(Table, table=True):
    """A grant and where its credits are: `amount` is the sum of the last five columns. `number` is its entry.

    `expires_at` is as granted; `usable_until` may be later, after refunds. Only for `attributed` accounts.
    """

    __tablename__ = "credit_grant"

    account: str = Field(primary_key=True)
    number: int = _big(primary=True)
    amount: int = _big()
    kind: str
    reference: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    granted_at: datetime = _time(needed=True)
    expires_at: datetime | None = _time()
    usable_until: datetime | None = _time()
    available: int = _big()
    held: int = _big()
    spent: int = _big()
    expired: int = _big()
    taken_back: int = _big()


class SpendLimit(Table, table=True):
    """Spend limits of an account, or of one API key; `api_key` is empty for the account. None: no limit."""

    __tablename__ = "spend_limit"

    account: str = Field(primary_key=True)
    api_key: str = Field(primary_key=True)
    per_day: int | None = Field(default=None, sa_column=Column(BigInteger))
    per_generation: int | None = Field(default=None, sa_column=Column(BigInteger))


class LedgerEntry(Table, table=True):
    """One entry of an account's statement. `amount` and `held_amount`: what it did to available and to held.

    `at`: when it counts for statements: when it was decided, but never before the entry before it.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index("ledger_entry_by_account", "account", "entry"),
        Index("ledger_entry_by_time", "account", "at", "entry"),
    )

    sequence: int = _big(primary=True)
    account: str
    entry: int = _big()
    type: str
    action: str
    time: datetime = _time(needed=True)
    at: datetime = _time(needed=True)
    generation: str | None = Field(default=None, index=True)
    amount: int = _big()
    held_amount: int = _big()
    available: int = _big()
    held: int = _big()
    reason: str | None = Field(default=None, sa_column=Column(Text))
    reference: str | None = Field(default=None, sa_column=Column(Text))
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class ChargeRow(Table, table=True):
    """A Charge."""

    __tablename__ = "charge"

    generation: str = Field(primary_key=True)
    account: str
    state: str
    amount: int = _big()
    available: int = _big()
    reason: str | None = None
    limit: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))

    @property
    def charge(self) -> Charge:
        """The charge that the row stores."""
        return Charge(**self.model_dump())


class ApiKey(Table, table=True):
    """An API key, by its hash. `last_used_at` is a day late at most."""

    __tablename__ = "api_key"

    sha256: str = Field(primary_key=True)
    account: str = Field(index=True)
    key_id: str
    name: str
    scopes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = _time(needed=True)
    expires_at: datetime | None = _time()
    revoked_at: datetime | None = _time()
    last_used_at: datetime | None = _time()


class RateLimitRow(Table, table=True):
    """The rate limits that the operator has set for an account: the last event, as JSON."""

    __tablename__ = "rate_limit"

    account: str = Field(primary_key=True)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class PublishedPrices(Table, table=True):
    """A published price table: its event as JSON."""

    __tablename__ = "published_prices"

    sequence: int = _big(primary=True)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class QueueEntry(Table, table=True):
    """A generation that waits for a place at the provider. `rank` is its priority, negated."""

    __tablename__ = "queue_entry"
    __table_args__ = (Index("queue_entry_by_account", "model", "account", "rank", "number"),)

    generation: str = Field(primary_key=True)
    model: str
    account: str
    rank: int
    number: int = _big()


class QueueTurn(Table, table=True):
    """An account with generations that wait for a model: how many, and its turn; the lowest is the next."""

    __tablename__ = "queue_turn"

    model: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    waiting: int
    turn: int = _big()
