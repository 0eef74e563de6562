"""The exceptions of the auditor that end a command.

    CommandError                    the command could not do its work
      SourceError                   the entries cannot be read

A breach is a result and not an error: see `breaches`.
"""

__all__ = ["CommandError", "SourceError"]


class CommandError(Exception):
    """The command could not do its work: one sentence with the reason and what to do. Ends with exit code FAILED."""


class SourceError(CommandError):
    """The entries cannot be read. Nothing was found out about the ledger."""
