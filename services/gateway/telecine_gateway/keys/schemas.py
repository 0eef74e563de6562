"""Bodies of the routes of keys."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field

from telecine_contracts.access import ApiKeyCreated
from telecine_gateway.access.api_keys import DEFAULT_SCOPES, NewKey, Scope
from telecine_gateway.access.key_rules import MAX_OVERLAP
from telecine_gateway.documentation.schemas import ONE_LINE
from telecine_gateway.http.schemas import RequestBody, ResponseBody, Timestamp
from telecine_gateway.http.validation import check_text, check_timestamp, check_whole_number, invalid_value
from telecine_gateway.read_model.tables import ApiKey

__all__ = ["EXPIRY_FIELD", "CreateKeyBody", "CreatedKeyBody", "KeyBody", "KeyListBody", "RotateKeyBody"]

EXPIRY_FIELD = "expiresAt"
_MAX_NAME = 100
"""Characters."""
_LONGEST_OVERLAP = int(MAX_OVERLAP.total_seconds())
_DEFAULT_OVERLAP = 24 * 3600


def _check_scopes(value: object) -> object:
    known = [scope.value for scope in Scope]
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(each in known for each in value):
        raise invalid_value(f"must be a list of one or more of {', '.join(known)}")
    return tuple(sorted(set(value)))


def _not_empty(schema: dict[str, Any]) -> None:
    # A constraint of the type itself would be checked on None, too.
    schema["anyOf"][0]["minItems"] = 1


ExpiresAt = Annotated[
    datetime | None,
    BeforeValidator(check_timestamp),
    Field(description="From when on the key no longer works, with its zone; absent: it does not expire"),
]
Name = Annotated[
    str | None,
    Field(max_length=_MAX_NAME, pattern=ONE_LINE, description="To tell it from other keys"),
    BeforeValidator(check_text(_MAX_NAME)),
]
Scopes = Annotated[
    tuple[Scope, ...] | None,
    BeforeValidator(_check_scopes),
    Field(
        json_schema_extra=_not_empty,
        description="What it may be used for; absent: generate. No more than the caller may do",
    ),
]
Overlap = Annotated[
    int | None,
    Field(ge=0, le=_LONGEST_OVERLAP, description="For so many seconds the old key works, too; absent: a day"),
    BeforeValidator(check_whole_number(0, _LONGEST_OVERLAP)),
]


class CreateKeyBody(RequestBody):
    """A new key."""

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "for a script": {"name": "nightly render", "expiresAt": "2027-03-01T00:00:00Z"},
        "that makes keys": {"name": "deployment", "scopes": ["generate", "keys"]},
    }

    name: Name = None
    scopes: Scopes = None
    expires_at: ExpiresAt = None

    @property
    def scope_names(self) -> tuple[str, ...]:
        """The scopes, those of a key that names none included."""
        return DEFAULT_SCOPES if self.scopes is None else tuple(scope.value for scope in self.scopes)


class RotateKeyBody(RequestBody):
    """How a key is replaced; the body may be left out."""

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "both work for an hour": {"overlapSeconds": 3600},
        "a key that expires": {"expiresAt": "2027-03-01T00:00:00Z"},
    }

    overlap_seconds: Overlap = None
    expires_at: ExpiresAt = None

    @property
    def overlap(self) -> int:
        """Seconds."""
        return _DEFAULT_OVERLAP if self.overlap_seconds is None else self.overlap_seconds


_KEY = {
    "id": "key_5f1c9e7a02bd",
    "name": "nightly render",
    "scopes": ["generate"],
    "createdAt": "2026-12-01T09:30:00.000Z",
    "expiresAt": "2027-03-01T00:00:00.000Z",
    "lastUsedAt": "2026-12-04T02:00:01.250Z",
    "isCaller": False,
}


class KeyBody(ResponseBody):
    """A key that is in force."""

    EXAMPLE: ClassVar[dict[str, Any]] = _KEY

    id: str
    name: str
    scopes: list[str]
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Annotated[Timestamp | None, Field(description="May be a day late; null: not used yet")]
    is_caller: Annotated[bool, Field(description="Whether this request was made with it")]

    @classmethod
    def of(cls, key: ApiKey, caller: str | None) -> Self:
        return cls(
            id=key.key_id,
            name=key.name,
            scopes=key.scopes,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            is_caller=key.key_id == caller,
        )


class KeyListBody(ResponseBody):
    """The keys of the account that are in force, the newest first."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"items": [_KEY]}

    items: list[KeyBody]


class CreatedKeyBody(ResponseBody):
    """A new key, and the key itself, which is shown this once."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": "key_5f1c9e7a02bd",
        "key": "tk_…",
        "name": "nightly render",
        "scopes": ["generate"],
        "createdAt": "2026-12-01T09:30:00.000Z",
        "expiresAt": "2027-03-01T00:00:00.000Z",
        "replaces": None,
        "replacedUntil": None,
    }

    id: str
    key: Annotated[str, Field(description="Keep it: it is not stored, and not shown again")]
    name: str
    scopes: list[str]
    created_at: Timestamp
    expires_at: Timestamp | None
    replaces: Annotated[str | None, Field(description="Id of the key that it replaces")]
    replaced_until: Annotated[
        Timestamp | None, Field(description="Until when that one works, if not shorter")
    ]

    @classmethod
    def of(cls, key: NewKey, created: ApiKeyCreated, at: datetime) -> Self:
        return cls(
            id=key.key_id,
            key=key.secret,
            name=created.name,
            scopes=list(created.scopes or ()),
            created_at=at,
            expires_at=created.expires_at,
            replaces=created.replaces,
            replaced_until=created.replaced_until,
        )
