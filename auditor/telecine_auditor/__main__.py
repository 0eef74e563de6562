"""`telecine-audit`, also `python -m telecine_auditor`."""

import sys

from .command_line import run


def main() -> None:
    """Run one command and exit: 0 only if everything holds."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
