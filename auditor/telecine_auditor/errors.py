"""Exceptions of the auditor.

    CommandError                    the command could not do its work
      SourceError                   the entries cannot be read
    MalformedProof                  the text is not a proof
    ProofMismatch                   the proof does not prove its entry
    InvalidSignature                the signature of a trusted key is invalid
    NoTrustedSignature              no trusted key signed the note

The modules that raise and catch them among themselves have three more: `ledger.header_parser.UnreadableEntry`, which
becomes a breach, `mirror.sync.StreamChanged` and `mirror.writer.MirrorChanged`. A breach is a result and not an error:
see `breaches`.
"""

__all__ = [
    "CommandError",
    "InvalidSignature",
    "MalformedProof",
    "NoTrustedSignature",
    "ProofMismatch",
    "SourceError",
]


class CommandError(Exception):
    """The command could not do its work: one sentence with the reason and what to do. Ends with exit code FAILED."""


class SourceError(CommandError):
    """The entries cannot be read. Nothing was found out about the ledger."""


class MalformedProof(ValueError):
    """The text is not a proof of this form."""


class ProofMismatch(Exception):
    """The proof does not prove its entry."""


class InvalidSignature(Exception):
    """The signature of a trusted key is invalid, or the note is not a checkpoint of its log."""


class NoTrustedSignature(Exception):
    """No trusted key signed the note. The message names the keys that did."""
