"""The metric of a mirror that follows: a file in Prometheus' text format for node_exporter."""

import time
from pathlib import Path

from telecine_auditor.errors import CommandError

__all__ = ["FOLLOWED", "write_metrics"]

FOLLOWED = "telecine_mirror_followed_timestamp_seconds"
_HELP = "When the mirror last held everything that the streams held, in seconds since 1970"


def write_metrics(file: Path) -> None:
    """Record that the mirror is complete now; the file is replaced atomically. Raises CommandError."""
    text = f"# HELP {FOLLOWED} {_HELP}\n# TYPE {FOLLOWED} gauge\n{FOLLOWED} {time.time():.0f}\n"
    new = file.with_name(f".{file.name}.new")
    try:
        new.write_text(text, encoding="ascii")
        new.replace(file)
    except OSError as error:
        raise CommandError(f"the metrics cannot be written to {file}: {error.strerror}") from error
