"""Reasons for not signing a checkpoint. A signature states that the ledger never changed: in doubt, none is made.

CheckpointRefused
├── EntriesMissing        the stream has a gap
├── LedgerTruncated       the stream ends before what was signed already
├── HistoryMismatch       the entries differ from those that were signed already
└── UnreadableCheckpoint  the last message of the CHECKPOINTS stream is not a checkpoint
"""

__all__ = [
    "CheckpointRefused",
    "EntriesMissing",
    "HistoryMismatch",
    "LedgerTruncated",
    "UnreadableCheckpoint",
]


class CheckpointRefused(Exception):
    """Nothing is signed until an operator has resolved the cause."""


class EntriesMissing(CheckpointRefused):
    """Entries are missing from the stream."""


class LedgerTruncated(CheckpointRefused):
    """Entries were removed from the end of the stream, or it was restored from an older copy."""


class HistoryMismatch(CheckpointRefused):
    """Entries were changed, or belong to another ledger."""


class UnreadableCheckpoint(CheckpointRefused):
    """It is not known what was signed last."""
