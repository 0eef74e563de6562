"""The erasure of an account: the one event of VIDEO that is about an account, not about a generation."""

from typing import Annotated, ClassVar

from pydantic import Field

from .message import Account, Event

__all__ = ["AccountErased"]


class AccountErased(Event):
    """Everything that an account requested was erased: its earlier events on VIDEO, and the videos themselves.

    Readers delete what they keep about generations of the account that they read before this event. The account's
    ledger stays: what it charged up to `ledger_sequence` cannot be compared with VIDEO any more.
    """

    type: ClassVar[str] = "account.erased.v1"
    stream: ClassVar[str] = "VIDEO"
    action: ClassVar[str] = "erased"
    about_account: ClassVar[bool] = True
    written_by: ClassVar[str] = "eraser"

    account: Account
    generations: Annotated[int, Field(ge=0, description="Generations whose events were erased")]
    ledger_sequence: Annotated[
        int,
        Field(
            ge=0, description="Sequence in LEDGER of the account's last entry at that time; 0: it had none"
        ),
    ]

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.account, "account")
