"""What an administrator may ask of the ledger: every field checked, every bad one named at once. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from telecine_contracts import MAX_CREDITS
from telecine_contracts.characters import unfit
from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import GrantKind
from telecine_contracts.subjects import TOKEN
from telecine_contracts.timestamps import InvalidTimestamp, parse_timestamp
from telecine_gateway.http.errors import InvalidField, InvalidRequest
from telecine_gateway.videos.request_parser import whole_number

__all__ = ["adjustment", "closing", "grant", "limits", "reopening"]

Body = Mapping[str, Any]
MAX_REFERENCE = 200
"""Characters."""
MAX_REASON = 500
"""Characters."""
MAX_NAME = 64
SHOWN_UNKNOWN = 20


def grant(body: Body) -> GrantCredits:
    """The grant that a JSON object asks for. Raises InvalidRequest."""
    fields = _Fields(body, ("account", "amount", "reference", "kind", "reason", "expiresAt"))
    return GrantCredits(
        **fields.understood(
            account=fields.account(),
            amount=fields.whole("amount", 1, needed=True),
            reference=fields.reference(),
            kind=fields.choice("kind", list(GrantKind)) or GrantKind.PAID,
            reason=fields.text("reason", MAX_REASON) or "",
            expires_at=fields.format_timestamp("expiresAt"),
        )
    )


def adjustment(body: Body) -> AdjustCredits:
    """The adjustment that a JSON object asks for. Raises InvalidRequest."""
    fields = _Fields(body, ("account", "corrects", "amount", "reference", "reason"))
    return AdjustCredits(
        **fields.understood(
            account=fields.account(),
            corrects=fields.whole("corrects", 1, needed=True),
            amount=fields.whole("amount", 1, needed=True),
            reference=fields.reference(),
            reason=fields.text("reason", MAX_REASON) or "",
        )
    )


def closing(account: str, body: Body) -> CloseAccount:
    """The end of an account. Raises InvalidRequest."""
    return CloseAccount(account=account, **_reason(body))


def reopening(account: str, body: Body) -> ReopenAccount:
    """Its return. Raises InvalidRequest."""
    return ReopenAccount(account=account, **_reason(body))


def _reason(body: Body) -> dict[str, Any]:
    fields = _Fields(body, ("reason",))
    return fields.understood(reason=fields.text("reason", MAX_REASON) or "")


def limits(account: str, body: Body) -> SetSpendLimits:
    """Limits for an account or one key of it; what is absent or null does not bound. Raises InvalidRequest."""
    fields = _Fields(body, ("apiKey", "perDay", "perGeneration"))
    return SetSpendLimits(
        account=account,
        **fields.understood(
            api_key=fields.name("apiKey", MAX_NAME),
            per_day=fields.whole("perDay", 0),
            per_generation=fields.whole("perGeneration", 0),
        ),
    )


@dataclass
class _Fields:
    """Reads fields and collects what is bad about them. A null counts as absent."""

    body: Body
    known: tuple[str, ...]
    bad: list[InvalidField] = field(default_factory=list)

    def understood(self, **values: Any) -> dict[str, Any]:
        """The values, if all are good and no field is unknown. Raises InvalidRequest."""
        unknown = [name for name in self.body if name not in self.known]
        for name in unknown[:SHOWN_UNKNOWN]:
            self.refuse(name[:64], f"is not a field of this request, which has {', '.join(self.known)}")
        if self.bad:
            raise InvalidRequest.from_fields(self.bad)
        return values

    def refuse(self, name: str, message: str) -> None:
        self.bad.append(InvalidField(name, message))

    def account(self) -> str | None:
        account = self.name("account", MAX_NAME, needed=True)
        if account and not TOKEN.fullmatch(account):
            self.refuse("account", "must be 1 to 64 letters, digits, '_' or '-'")
        return account

    def reference(self) -> str | None:
        return self.name("reference", MAX_REFERENCE, needed=True)

    def name(self, name: str, longest: int, *, needed: bool = False) -> str | None:
        """A text that must be the same again later: not empty, and no blanks around it."""
        value = self.text(name, longest)
        if value is None and needed and self.body.get(name) is None:
            self.refuse(name, "is required")
        if value is not None and (not value or value != value.strip()):
            self.refuse(name, "must not be empty, and not begin or end with a blank")
        return value

    def text(self, name: str, longest: int) -> str | None:
        """A text that is fit to be kept and shown."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(name, "must be a string")
            return None
        if len(value) > longest:
            self.refuse(name, f"must not be longer than {longest} characters, but has {len(value)}")
        if (words := unfit(value)) is not None:
            self.refuse(name, f"must not contain {words}")
        return value

    def whole(self, name: str, least: int, *, needed: bool = False) -> int | None:
        """A whole number of JSON, 5.0 as well as 5: no fraction, no text, no boolean. Exact up to MAX_CREDITS."""
        value = self.body.get(name)
        if value is None:
            if needed:
                self.refuse(name, "is required")
            return None
        number = whole_number(value)
        if number is None or not least <= number <= MAX_CREDITS:
            self.refuse(name, f"must be a whole number from {least} to {MAX_CREDITS}")
            return None
        return number

    def choice(self, name: str, offered: list[GrantKind]) -> GrantKind | None:
        value = self.body.get(name)
        if value is None or (isinstance(value, str) and value in offered):
            return GrantKind(value) if value is not None else None
        self.refuse(name, f"must be one of {', '.join(offered)}")
        return None

    def format_timestamp(self, name: str) -> datetime | None:
        value = self.body.get(name)
        if value is None:
            return None
        try:
            return parse_timestamp(value if isinstance(value, str) else "")
        except InvalidTimestamp as error:
            self.refuse(name, str(error))
            return None
