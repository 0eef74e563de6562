"""`telecine-audit`, also `python -m telecine_auditor`."""

import sys

from telecine_auditor.terminal.exit_codes import run_command


def main() -> None:
    """Run one command and exit: 0 only if everything holds."""
    sys.exit(run_command(_run, lambda reason: sys.stderr.write(f"telecine-audit: {reason}\n")))


def _run() -> int:
    # Imported inside `run_command`: a broken installation must not end with the exit code of a breach.
    from .cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    main()
