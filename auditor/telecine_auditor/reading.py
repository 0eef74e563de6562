"""One entry of the ledger as the auditor read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .account_book import Parts

__all__ = ["Reading"]


@dataclass(slots=True, eq=False)
class Reading:
    """An entry that could be read. `action` is the last token of its subject (debited, settled …), `number` its

    number within the account, `decided_at` when it was decided (entries before 0.2: when it was written), `body` the
    event as it stands. `parts` tells whose credits it moved, also where the entry itself does not name the grants.
    """

    sequence: int
    action: str
    type: str
    account: str
    number: int
    decided_at: datetime
    body: dict[str, Any]
    parts: Parts = ()
