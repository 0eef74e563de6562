"""The `telecine` command, also `python -m telecine_cli`."""

import io
import sys
from collections.abc import Sequence

from .app import build
from .errors import CommandError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (that of this process by default) and exit.

    Exit code 0: done; 1: failed, with the reason on standard error; 2: wrong usage.
    """
    _replace_unencodable_output()
    given = sys.argv[1:] if arguments is None else arguments
    if unreadable := next((text for text in given if not _is_text(text)), None):
        print(
            f"telecine: an argument is not text in this locale's encoding ({sys.getfilesystemencoding()}): "
            f"{unreadable!a}",
            file=sys.stderr,
        )
        sys.exit(2)
    try:
        build()(given, prog_name="telecine")
    except CommandError as failure:
        print(f"telecine: {failure}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"telecine: {place}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)


def _replace_unencodable_output() -> None:
    # In a Latin-1 locale Python raises an error for every character that the locale lacks, even for an ellipsis.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _is_text(argument: str) -> bool:
    """Whether an argument could be decoded: Python replaces undecodable bytes by lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in argument)


if __name__ == "__main__":
    main()
