"""Run the benchmarks: `make bench`, or `python -m bench --json`. Figures are those of one run on this machine."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.report import as_text, write_markdown
from bench.suite import GROUPS, machine, run_suite


def main() -> int:
    """Run the benchmarks and print the figures."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--quick", action="store_true", help="shorter runs, rougher figures")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS, help="only these groups")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also put the figures into this page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telecine-bench-") as folder:
        described = machine(Path(folder))
        figures: list[dict[str, Any]] = asyncio.run(
            run_suite(Path(folder), quick=arguments.quick, only=arguments.only)
        )
    print(as_text(figures, as_json=arguments.json))
    if arguments.markdown:
        write_markdown(figures, described, arguments.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
