"""Figures as a table or as JSON."""

import json
from collections.abc import Sequence
from typing import Any


def figure(name: str, value: float, unit: str, *, against: str, limit: float, goal: str) -> dict[str, Any]:
    """One figure with the peer or limit that it is compared to, and the ratio of the two."""
    ratio = round(value / limit, 3) if limit else None
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "against": against,
        "limit": limit,
        "ratio": ratio,
        "goal": goal,
    }


def as_text(figures: Sequence[dict[str, Any]], *, as_json: bool) -> str:
    """A table, or one JSON document."""
    if as_json:
        return json.dumps({"figures": list(figures)}, indent=2)
    lines = [f"{'figure':<52} {'value':>10} {'beside it':>10} {'ratio':>7}  goal"]
    for row in figures:
        value, limit = f"{row['value']:g} {row['unit']}", f"{row['limit']:g} {row['unit']}"
        lines.append(f"{row['name']:<52} {value:>10} {limit:>10} {row['ratio'] or '-':>7}  {row['goal']}")
        lines.append(f"{'':<4}beside: {row['against']}")
    return "\n".join(lines)
