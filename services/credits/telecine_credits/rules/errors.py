"""Errors of the ledger's rules.

ValueError
├── LedgerRefused  a command would break a rule; the caller is told
└── NotDebited     a delivery without a debit; an operator is told
"""

from telecine_contracts.commands import Refusal

__all__ = ["LedgerRefused", "NotDebited"]


class LedgerRefused(ValueError):
    """A command would break a rule: `refusal` is the code, `field` the field at fault, the text the explanation."""

    def __init__(self, refusal: Refusal, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.field = field


class NotDebited(ValueError):
    """A generation was delivered but never debited: an invariant is broken."""
