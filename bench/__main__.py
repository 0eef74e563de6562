"""Run all benchmarks: `make bench`, or `python -m bench --json`. Figures are medians of one run on this machine."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.report import as_text
from bench.suite import run_suite


def main() -> int:
    """Run the benchmarks and print the figures."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--quick", action="store_true", help="shorter runs, rougher figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telecine-bench-") as folder:
        figures: list[dict[str, Any]] = asyncio.run(run_suite(Path(folder), quick=arguments.quick))
    print(as_text(figures, as_json=arguments.json))
    return 0


if __name__ == "__main__":
    sys.exit(main())
