"""The `telecine` command, also `python -m telecine_cli`."""

import sys
from collections.abc import Sequence

from telecine_cli.app import build
from telecine_cli.failure import Failure

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (that of this process by default) and exit.

    Exit code 0: done; 1: it failed, and why is on standard error; 2: wrong usage.
    """
    try:
        build()(arguments, prog_name="telecine")
    except Failure as failure:
        print(f"telecine: {failure}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
