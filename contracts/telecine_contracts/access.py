"""The ACCESS stream: API keys, hashed, each scoped to one account."""

from typing import Annotated, ClassVar

from pydantic import Field

from .message import Account, Event


class AccessEvent(Event):
    """Base of all access events."""

    stream: ClassVar[str] = "ACCESS"
    written_by: ClassVar[str] = "operator"

    account: Account
    key_id: Annotated[str, Field(description="Public id of the key, which may be shown and logged")]

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.account,)


class ApiKeyCreated(AccessEvent):
    """A key was created. Only its SHA-256 is stored: the key has 190 random bits, so the hash does not reveal it."""

    type: ClassVar[str] = "access.key_created.v1"
    action: ClassVar[str] = "key_created"

    key_sha256: Annotated[str, Field(description="SHA-256 of the key, hexadecimal")]
    name: Annotated[str, Field(description="Name given by its owner")]
    scopes: Annotated[
        tuple[str, ...] | None,
        Field(description="What it may be used for: generate, admin; absent: generate only"),
    ] = None


class ApiKeyRevoked(AccessEvent):
    """A key was revoked permanently."""

    type: ClassVar[str] = "access.key_revoked.v1"
    action: ClassVar[str] = "key_revoked"
