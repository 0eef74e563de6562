"""A real Prometheus on the repository's own rules; only the addresses of the services are others."""

import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.support.telemetry.observability_files import FILES

from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process

__all__ = ["Prometheus", "prometheus"]

_READY_SECONDS = 30.0
_DISCOVERY = re.compile(r"dns_sd_configs: \[\{names: \[(\w+)\], type: A, port: 8100, [^}]*\}\]")


@dataclass(frozen=True)
class Prometheus:
    """A running server, asked by its HTTP API."""

    http: httpx.AsyncClient

    async def ask(self, what: str, **parameters: str) -> Any:
        """The data of an answer; AssertionError if Prometheus says that the question is wrong."""
        answer = (await self.http.get(f"/api/v1/{what}", params=parameters)).json()
        assert answer["status"] == "success", f"{what} {parameters}: {answer.get('error')}"
        return answer["data"]

    async def labels(self, name: str) -> set[str]:
        """The labels of all series of a metric; none if there is no series."""
        return {label for series in await self.ask("series", **{"match[]": name}) for label in series}

    async def curves(self, expression: str) -> list[Mapping[str, str]]:
        """The labels of the curves that a panel would draw, over the last five minutes."""
        now = time.time()
        span = {"start": f"{now - 300:.3f}", "end": f"{now:.3f}", "step": "1"}
        answer = await self.ask("query_range", query=expression.replace("$__rate_interval", "10s"), **span)
        return [curve["metric"] for curve in answer["result"]]

    async def alerts(self) -> dict[str, str]:
        """The alerts that are not silent, with their state: pending or firing."""
        active = (await self.ask("alerts"))["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in active}


@asynccontextmanager
async def prometheus(folder: Path, targets: Mapping[str, int]) -> AsyncIterator[Prometheus]:
    """The server, which reads every second from these ports of this machine, by job."""
    program = shutil.which("prometheus")
    assert program is not None, "prometheus is not on PATH: run `make test-observability`"
    port = free_port()
    arguments = (
        f"--config.file={_configured(folder, targets)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
    )
    process = Process(Command("prometheus", (program, *arguments), folder / "prometheus.log"))
    url = f"http://{LOOPBACK}:{port}"

    async def ready() -> bool:
        answer = await http_answer(f"{url}/-/ready")
        return answer is not None and answer[0] == 200

    process.start()
    try:
        await process.wait_ready(ready, _READY_SECONDS)
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
            yield Prometheus(http)
    finally:
        process.kill()


def _configured(folder: Path, targets: Mapping[str, int]) -> Path:
    text = (FILES / "prometheus.yml").read_text(encoding="utf-8")
    found = _DISCOVERY.findall(text)
    assert sorted(found) == sorted(targets), f"prometheus.yml discovers {found}"
    text = _DISCOVERY.sub(
        lambda job: f'static_configs: [{{targets: ["{LOOPBACK}:{targets[job[1]]}"]}}]', text
    )
    for name, often in (
        ("scrape_interval", "15s"),
        ("scrape_timeout", "10s"),
        ("evaluation_interval", "15s"),
    ):
        assert f"{name}: {often}" in text
        text = text.replace(f"{name}: {often}", f"{name}: 1s")
    folder.mkdir(parents=True)
    shutil.copy(FILES / "alerts.yml", folder)
    config = folder / "prometheus.yml"
    config.write_text(text, encoding="utf-8")
    return config
