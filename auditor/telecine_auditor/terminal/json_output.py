"""The one JSON document that `--json` prints."""

import sys
from collections.abc import Mapping
from typing import Any

from telecine_auditor.json_documents import name_of

from .sanitizer import printable_json

__all__ = ["print_json"]


def print_json(command: str, document: Mapping[str, Any]) -> None:
    """Print the document of a command to stdout, see `json_documents`."""
    sys.stdout.write(printable_json({"document": name_of(command), **document}) + "\n")
