"""The ACCESS stream: API keys, hashed, each scoped to one account."""

from typing import Annotated, ClassVar

from pydantic import Field

from .message import Account, Event


class AccessEvent(Event):
    """What all access events share."""

    stream: ClassVar[str] = "ACCESS"
    written_by: ClassVar[str] = "operator"

    account: Account
    key_id: Annotated[str, Field(description="Public name of the key: may be shown and logged")]

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.account,)


class ApiKeyCreated(AccessEvent):
    """A key works from now on. Only its SHA-256 is kept: the key has 190 random bits, so a hash gives nothing away."""

    type: ClassVar[str] = "access.key_created.v1"
    action: ClassVar[str] = "key_created"

    key_sha256: Annotated[str, Field(description="SHA-256 of the key, hexadecimal")]
    name: Annotated[str, Field(description="What its owner calls it")]
    scopes: Annotated[
        tuple[str, ...] | None,
        Field(description="What it may be used for: generate, admin; absent: generate alone"),
    ] = None


class ApiKeyRevoked(AccessEvent):
    """A key stops working, for good."""

    type: ClassVar[str] = "access.key_revoked.v1"
    action: ClassVar[str] = "key_revoked"
