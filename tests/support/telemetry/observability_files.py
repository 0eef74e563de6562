"""What deploy/observability asks Prometheus for: the expressions of rules and dashboard, and what they name."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "FILES",
    "RULE",
    "alert_expressions",
    "dashboard",
    "dashboard_expressions",
    "grouped_by",
    "matched_labels",
    "selectors",
    "summaries",
    "template_labels",
]

FILES = Path(__file__).parents[3] / "deploy" / "observability"
RULE = re.compile(
    r"      - alert: (?P<name>[A-Z]\w+)\n"
    r"        expr: (?P<expr>\S.*)\n"
    r"(?:        for: \d+[smh]\n)?"
    r"        labels: \{severity: (?P<severity>page|ticket)\}\n"
    r"        annotations:\n"
    r'          summary: "(?P<summary>[^"]+)"\n'
    r"          runbook: docs/observing\.md#(?P<anchor>[a-z-]+)\n"
)
_SELECTOR = re.compile(r"\b((?:telecine|process)_[a-z_]+|up\b)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPED = re.compile(r"\bby \(([^)]*)\)")
_SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


def alert_expressions() -> dict[str, str]:
    """Every alert's expression, by its name."""
    return {
        match["name"]: match["expr"] for match in RULE.finditer((FILES / "alerts.yml").read_text("utf-8"))
    }


def summaries() -> dict[str, str]:
    """What every alert says, by its name."""
    return {
        match["name"]: match["summary"] for match in RULE.finditer((FILES / "alerts.yml").read_text("utf-8"))
    }


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    found: dict[str, Any] = json.loads((FILES / "grafana/dashboards/telecine.json").read_text("utf-8"))
    return found


def dashboard_expressions() -> dict[str, str]:
    """What every curve of the dashboard asks for → what is written beside it."""
    targets = [target for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return {target["expr"]: target.get("legendFormat", "") for target in targets}


def selectors(expression: str) -> Mapping[str, set[str]]:
    """The metrics that an expression names → the labels by which it selects them."""
    found: dict[str, set[str]] = {}
    for name, matchers in _SELECTOR.findall(expression):
        found.setdefault(name, set()).update(_MATCHER.findall(matchers))
    return found


def matched_labels(expression: str) -> set[str]:
    """All labels that an expression selects by or groups by."""
    selected = {label for labels in selectors(expression).values() for label in labels}
    return selected | grouped_by(expression)


def grouped_by(expression: str) -> set[str]:
    """The labels that an expression keeps."""
    return {label.strip() for labels in _GROUPED.findall(expression) for label in labels.split(",")}


def template_labels(text: str) -> set[str]:
    """The labels whose values a text shows: those of a summary or of a legend."""
    return set(_SHOWN.findall(text))
