"""Rules, dashboard and documents name metrics that exist, and say what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.measured import SERVICES, families, samples

ROOT = Path(__file__).parents[2]
FILES = ROOT / "deploy" / "observability"
PAGE = ROOT / "docs" / "observing.md"
RULE = re.compile(
    r"      - alert: (?P<name>[A-Z]\w+)\n"
    r"        expr: (?P<expr>\S.*)\n"
    r"(?:        for: \d+[smh]\n)?"
    r"        labels: \{severity: (?P<severity>page|ticket)\}\n"
    r"        annotations:\n"
    r'          summary: "(?P<summary>[^"]+)"\n'
    r"          runbook: docs/observing\.md#(?P<anchor>[a-z-]+)\n"
)
NAME = re.compile(r"telecine_[a-z_]+")
ROW = re.compile(r"^\| `(telecine_\w+)`", re.MULTILINE)


@pytest.fixture(scope="module")
def rules() -> list[dict[str, str]]:
    """Every rule, once it was found that the file holds nothing else."""
    text = (FILES / "alerts.yml").read_text()
    left = RULE.sub("", text)
    assert "alert:" not in left, "write every rule like the others"
    return [match.groupdict() for match in RULE.finditer(text)]


@pytest.fixture
async def measured(tmp_path: Path) -> dict[str, dict[str, str]]:
    return families(tmp_path)


def anchors() -> set[str]:
    headings = re.findall(r"^#+ +(.+?) *$", PAGE.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_rule_says_what_to_do(rules: list[dict[str, str]]) -> None:
    assert len({rule["name"] for rule in rules}) == len(rules) >= 20
    assert [rule["name"] for rule in rules if rule["anchor"] not in anchors()] == []


def test_every_rule_is_tried_by_promtools_file(rules: list[dict[str, str]]) -> None:
    tried = set(re.findall(r'alertname="(\w+)"', (FILES / "alerts-test.yml").read_text()))
    assert tried == {rule["name"] for rule in rules}


async def test_rules_name_metrics_that_exist(
    rules: list[dict[str, str]], measured: dict[str, dict[str, str]]
) -> None:
    named = {name for rule in rules for name in NAME.findall(rule["expr"])}
    assert named - samples(measured) == set()


async def test_what_promtool_is_fed_exists(measured: dict[str, dict[str, str]]) -> None:
    fed = re.findall(r"series: '(telecine_\w+)", (FILES / "alerts-test.yml").read_text())
    assert set(fed) - samples(measured) == set()


async def test_the_dashboard_names_metrics_that_exist_and_leaves_none_out(
    measured: dict[str, dict[str, str]],
) -> None:
    shown = expressions()
    named = {name for expression in shown for name in NAME.findall(expression)}
    assert named - samples(measured) == set()
    bases = {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}
    everything = {name for metrics in measured.values() for name in metrics}
    assert everything - bases == set()


def expressions() -> list[str]:
    """What the dashboard asks Prometheus for."""
    panels = dashboard()["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FILES / "grafana/dashboards/telecine.json").read_text())
    return found


def test_panels_lie_beside_each_other_and_say_what_they_show() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}, panel["title"]


async def test_the_document_names_every_metric_and_no_other(measured: dict[str, dict[str, str]]) -> None:
    assert set(ROW.findall(PAGE.read_text())) == {name for metrics in measured.values() for name in metrics}


async def test_names_of_metrics_say_their_unit(measured: dict[str, dict[str, str]]) -> None:
    for metrics in measured.values():
        for name, kind in metrics.items():
            assert (kind == "counter") == name.endswith("_total"), name
            assert kind != "histogram" or name.endswith("_seconds"), name


def test_prometheus_reads_every_service() -> None:
    jobs = re.findall(r"job_name: (\w+)", (FILES / "prometheus.yml").read_text())
    assert sorted(jobs) == sorted(SERVICES)
