"""The books: every entry of the ledger checked and applied, one after the other."""

from collections.abc import Callable
from datetime import datetime, timedelta

from .account_book import AccountBook, GrantBook, HoldBook, Limits, Parts
from .breach import Breach
from .entry import Entry
from .reading import Reading

__all__ = ["AccountBook", "Books", "GrantBook", "HoldBook", "Limits", "Parts", "Reading"]


class Books:
    """All accounts as the entries taken so far make them; what must not be goes to `on_breach`.

    `entries` counts what was taken, `sequence` is the last one's, `unattributed` counts entries that moved credits
    before entries named grants.
    """

    def __init__(self, on_breach: Callable[[Breach], None]) -> None:
        self.accounts: dict[str, AccountBook] = {}
        self.entries = 0
        self.sequence = 0
        self.unattributed = 0
        self._on_breach = on_breach

    @property
    def issued(self) -> int:
        """Credits granted and not taken back: available, held, spent and expired together."""
        return sum(account.issued for account in self.accounts.values())

    @property
    def available(self) -> int:
        """Credits that accounts are free to spend."""
        return sum(account.available for account in self.accounts.values())

    @property
    def held(self) -> int:
        """Credits reserved for running generations."""
        return sum(account.held for account in self.accounts.values())

    @property
    def spent(self) -> int:
        """Credits settled and not given back."""
        return sum(account.spent for account in self.accounts.values())

    @property
    def expired(self) -> int:
        """Credits expired and not given back."""
        return sum(account.expired for account in self.accounts.values())

    def take(self, entry: Entry) -> Reading | None:
        """Check the next entry and apply it. None: it could not be read (and that is a breach)."""
        raise NotImplementedError

    def finish(self, now: datetime, hold_limit: timedelta) -> None:
        """Check what can only be seen at the end: holds older than `hold_limit`, expiries that did not come."""
        raise NotImplementedError
