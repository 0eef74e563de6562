"""Metrics as Prometheus reads them from a running service."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["MetricsPage", "scrape"]


@dataclass(frozen=True)
class MetricsPage:
    """Every sample of one page: its name and labels, and its value."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have at least these labels; 0 if there is none."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= has)

    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _ in self.samples}

    def label_values(self) -> set[str]:
        """Everything that stands behind a label."""
        return {value for _, labels in self.samples for _, value in labels}


async def scrape(url: str) -> MetricsPage:
    """The page at `url`, the admin port of a service."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = (await client.get(f"{url}/metrics")).raise_for_status()
    families = text_string_to_metric_families(answer.text)
    return MetricsPage(
        {(s.name, frozenset(s.labels.items())): float(s.value) for family in families for s in family.samples}
    )
