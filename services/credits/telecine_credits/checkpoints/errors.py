"""Why no checkpoint is signed. Whoever signs says that this is the ledger and always was: in doubt, nothing is said.

NoCheckpoint
├── EntriesMissing        the stream has a gap
├── LedgerCutShort        the stream ends before what was signed already
├── HistoriesDiffer       the entries are not those that were signed already
└── UnreadableCheckpoint  the last message of the CHECKPOINTS stream is no checkpoint
"""

__all__ = ["EntriesMissing", "HistoriesDiffer", "LedgerCutShort", "NoCheckpoint", "UnreadableCheckpoint"]


class NoCheckpoint(Exception):
    """Nothing is signed until a person has found out what happened."""


class EntriesMissing(NoCheckpoint):
    """Entries were removed from the stream."""


class LedgerCutShort(NoCheckpoint):
    """Entries were removed from the end of the stream, or it was restored from an older copy."""


class HistoriesDiffer(NoCheckpoint):
    """Entries were changed, or they belong to another ledger."""


class UnreadableCheckpoint(NoCheckpoint):
    """Nobody can tell what was signed last."""
