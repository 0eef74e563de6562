"""The ACCESS stream: API keys, hashed, each scoped to one account; and the rate limits of accounts.

The operator creates and revokes keys; an account that does so itself, through the API, adds and removes them. The
events differ in their writer alone: a key that was added is a key that was created.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from .message import Account, Event


class AccessEvent(Event):
    """Base of all access events."""

    stream: ClassVar[str] = "ACCESS"

    account: Account
    key_id: Annotated[str, Field(description="Public id of the key, which may be shown and logged")]

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.account,)


class ApiKeyCreated(AccessEvent):
    """The operator created a key. Only its SHA-256 is stored: it has 190 random bits, so the hash does not reveal it.

    A key may replace another one, which then works for a while beside it.
    """

    type: ClassVar[str] = "access.key_created.v1"
    action: ClassVar[str] = "key_created"
    written_by: ClassVar[str] = "operator"

    key_sha256: Annotated[str, Field(description="SHA-256 of the key, hexadecimal")]
    name: Annotated[str, Field(description="Name given by its owner")]
    scopes: Annotated[
        tuple[str, ...] | None,
        Field(description="What it may be used for: generate, keys, admin; absent: generate only"),
    ] = None
    expires_at: Annotated[
        datetime | None, Field(description="From when on it no longer works; absent: it does not expire")
    ] = None
    replaces: Annotated[str | None, Field(description="Id of the key that it replaces")] = None
    replaced_until: Annotated[
        datetime | None, Field(description="From when on the replaced key no longer works, if not before")
    ] = None


class ApiKeyRevoked(AccessEvent):
    """The operator revoked a key permanently."""

    type: ClassVar[str] = "access.key_revoked.v1"
    action: ClassVar[str] = "key_revoked"
    written_by: ClassVar[str] = "operator"


class ApiKeyAdded(ApiKeyCreated):
    """An account created a key itself, with a key or token of the scope `keys`. Otherwise as ApiKeyCreated."""

    type: ClassVar[str] = "access.key_added.v1"
    action: ClassVar[str] = "key_added"
    written_by: ClassVar[str] = "gateway"


class ApiKeyRemoved(ApiKeyRevoked):
    """An account revoked a key itself, permanently."""

    type: ClassVar[str] = "access.key_removed.v1"
    action: ClassVar[str] = "key_removed"
    written_by: ClassVar[str] = "gateway"


class ApiKeyUsed(AccessEvent):
    """A key was used. Recorded at most once a day and key, so a later use may be missing."""

    type: ClassVar[str] = "access.key_used.v1"
    action: ClassVar[str] = "key_used"
    written_by: ClassVar[str] = "gateway"
    informational: ClassVar[bool] = True

    used_at: Annotated[datetime, Field(description="When it was used")]


class RateLimit(BaseModel):
    """Requests in a time: they may come at once, and the quota comes back evenly."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    limit: Annotated[int, Field(ge=0, description="Requests; 0: no limit")]
    seconds: Annotated[int, Field(gt=0, description="The time, in seconds")] = 60


class RateLimitsSet(Event):
    """The operator set the rate limits of an account. They replace all that were set before."""

    type: ClassVar[str] = "access.rate_limits_set.v1"
    stream: ClassVar[str] = "ACCESS"
    action: ClassVar[str] = "rate_limits_set"
    written_by: ClassVar[str] = "operator"

    account: Account
    requests: Annotated[
        RateLimit | None,
        Field(description="All requests, at each gateway; absent: the limit of the gateway's settings"),
    ] = None
    generations: Annotated[
        RateLimit | None,
        Field(description="Requests for videos, at all gateways together; absent: as in the settings"),
    ] = None

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.account,)
