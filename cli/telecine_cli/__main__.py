"""The `telecine` command, also `python -m telecine_cli`."""

import sys

from telecine_cli.app import build
from telecine_cli.failure import Failure

__all__ = ["main"]


def main() -> None:
    """Run the command line. Exit code 0: done; 1: it failed, and why is on standard error; 2: wrong usage."""
    try:
        build()()
    except Failure as failure:
        print(f"telecine: {failure}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
