"""Figures as a table, as JSON or as Markdown."""

import json
import operator
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
_GOAL = re.compile(r"(ratio )?(<=|>=|<|>) ([0-9.]+)")
_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


def figure(
    name: str, value: float, unit: str, *, against: str, limit: float, goal: str, detail: str = ""
) -> dict[str, Any]:
    """One figure with the peer or limit that it is compared to, and the ratio of the two.

    `goal`: e.g. "ratio >= 0.12" or "<= 8 ms"; "-" for none. `detail`: what the value consists of.
    """
    ratio = round(value / limit, 3) if limit else None
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "against": against,
        "limit": limit,
        "ratio": ratio,
        "goal": goal,
        "reached": _is_reached(value, ratio, goal),
        "detail": detail,
    }


def _is_reached(value: float, ratio: float | None, goal: str) -> bool | None:
    wanted = _GOAL.match(goal)
    if wanted is None or (wanted[1] and ratio is None):
        return None
    compared = ratio if wanted[1] and ratio is not None else value
    return bool(_COMPARE[wanted[2]](compared, float(wanted[3])))


def as_text(figures: Sequence[dict[str, Any]], *, as_json: bool) -> str:
    """A table, or one JSON document."""
    if as_json:
        return json.dumps({"figures": list(figures)}, indent=2)
    lines = [f"{'figure':<66} {'value':>11} {'beside it':>12} {'ratio':>7}  goal"]
    for row in figures:
        value, limit = f"{row['value']:g} {row['unit']}", f"{row['limit']:g} {row['unit']}"
        goal = f"{row['goal']}{_mark(row)}"
        lines.append(f"{row['name']:<66} {value:>11} {limit:>12} {_ratio(row):>7}  {goal}")
        lines.append(f"{'':<4}beside: {row['against']}")
        if row["detail"]:
            lines.append(f"{'':<4}{row['detail']}")
    return "\n".join(lines)


def write_markdown(figures: Sequence[dict[str, Any]], machine: Sequence[str], page: Path) -> None:
    """Replace what stands between the two marks in `page` by the machine and the figures."""
    rows = [
        f"| {row['name']} | {row['value']:g} {row['unit']} | {row['limit']:g} {row['unit']} | {_ratio(row)} "
        f"| {row['goal']}{_mark(row)} | {row['against']}{'; ' + row['detail'] if row['detail'] else ''} |"
        for row in figures
    ]
    head = [
        "| figure | value | beside it | ratio | goal | what stands beside it |",
        "|---|---|---|---|---|---|",
    ]
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    middle = "\n".join([BEGIN, *(f"- {line}" for line in machine), "", *head, *rows, END])
    page.write_text(before + middle + after, encoding="utf-8")


def _ratio(row: dict[str, Any]) -> str:
    return "-" if row["ratio"] is None else f"{row['ratio']:g}"


def _mark(row: dict[str, Any]) -> str:
    return "" if row["reached"] is None else ": reached" if row["reached"] else ": missed"
