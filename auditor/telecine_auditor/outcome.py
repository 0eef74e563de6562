"""How a command ends."""

__all__ = ["BREACHED", "HOLDS", "UNKNOWN", "CommandError"]

HOLDS, BREACHED, UNKNOWN = 0, 1, 2
"""Exit codes: everything holds (or the report was made); a breach was found; it could not be found out."""


class CommandError(Exception):
    """It could not be found out; one sentence that says why and what to do. Ends with UNKNOWN."""
