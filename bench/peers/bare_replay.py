"""The peer of an audit: parse each body and add its legs up by account, nothing else."""

import json
import sys
from collections import defaultdict
from pathlib import Path


def main() -> None:
    """Fold the file of bodies that is named, one a line."""
    sums: dict[str, int] = defaultdict(int)
    with Path(sys.argv[1]).open("rb") as lines:
        for line in lines:
            for leg in json.loads(line)["postings"]:
                sums[leg["account"]] += leg["amount"]
    if sum(sums.values()):
        sys.exit("the legs do not sum to zero")


if __name__ == "__main__":
    main()
