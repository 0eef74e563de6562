"""An error that a user can do something about: told in a sentence, without a traceback."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """The command could not do what was asked; the message says why and what to do. Exit code 1."""
