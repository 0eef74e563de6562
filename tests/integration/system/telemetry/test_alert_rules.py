"""Rules, dashboard and documents name metrics that exist, and say what to do."""

import re
from pathlib import Path

import pytest
from tests.support.telemetry.metric_catalog import SERVICES, metric_families, metric_labels, sample_names
from tests.support.telemetry.observability_files import (
    FILES,
    RULE,
    alert_expressions,
    dashboard,
    dashboard_expressions,
    grouped_by,
    selectors,
    summaries,
    template_labels,
)

PAGE = Path(__file__).parents[4] / "docs" / "observing.md"
EVERYWHERE = {"job", "instance"}
"""Labels that Prometheus itself puts on every series that it reads."""
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
    return metric_families(tmp_path)


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
    assert named - sample_names(measured) == set()


async def test_what_promtool_is_fed_exists(measured: dict[str, dict[str, str]]) -> None:
    fed = re.findall(r"series: '(telecine_\w+)", (FILES / "alerts-test.yml").read_text())
    assert set(fed) - sample_names(measured) == set()


async def test_the_dashboard_names_metrics_that_exist_and_leaves_none_out(
    measured: dict[str, dict[str, str]],
) -> None:
    named = {name for expression in dashboard_expressions() for name in NAME.findall(expression)}
    assert named - sample_names(measured) == set()
    bases = {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}
    everything = {name for metrics in measured.values() for name in metrics}
    assert everything - bases == set()


async def test_rules_and_dashboard_name_labels_that_exist(tmp_path: Path) -> None:
    has = metric_labels(tmp_path)
    for expression in (*alert_expressions().values(), *dashboard_expressions()):
        for name, selected in selectors(expression).items():
            if name.startswith("telecine_"):
                assert selected <= has[name] | EVERYWHERE, expression
        known = {label for name in selectors(expression) for label in has.get(name, ())}
        assert grouped_by(expression) <= known | EVERYWHERE, expression


async def test_texts_show_labels_that_are_left(tmp_path: Path) -> None:
    """An aggregation keeps those that it groups by and no other: a text would show nothing in their place."""
    has = metric_labels(tmp_path)
    said = {expression: summaries()[name] for name, expression in alert_expressions().items()}
    for expression, text in (dashboard_expressions() | said).items():
        kept = {label for name in selectors(expression) for label in has.get(name, ())} | EVERYWHERE
        if re.search(r"\b(sum|max|min|count)\b", expression):
            kept = grouped_by(expression)
        assert template_labels(text) <= kept, expression


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


def test_containers_read_files_that_are_there_and_listen_on_loopback() -> None:
    text = (FILES / "compose.yml").read_text()
    mounted = re.findall(r"\./([\w./-]+):/[\w./-]+(:ro)?", text)
    assert len(mounted) == 6
    assert [name for name, read_only in mounted if not (FILES / name).exists() or not read_only] == []
    images = re.findall(r"image: \$\{TELECINE_[A-Z]+_IMAGE:-[\w/-]+:v?(\S+)\}", text)
    assert len(images) == 3
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in images)
    ports = re.findall(r'ports: \["([^"]+)"\]', text)
    assert len(ports) == 3
    assert all(port.startswith("${TELECINE_OBSERVABILITY_BIND:-127.0.0.1}:") for port in ports)
