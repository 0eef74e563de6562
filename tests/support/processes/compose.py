"""The system of docker-compose.yml as it runs on this machine, seen from outside."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["SERVICES", "Compose"]

ROOT = Path(__file__).parents[3]
SERVICES = ("gateway", "credits", "generation", "storage")
AUDITOR = ("--nats", "nats://nats:4222", "--nkey-seed", "/run/secrets/nats_auditor")
FETCH = "import sys, urllib.request as r; sys.stdout.buffer.write(r.urlopen(sys.argv[1], timeout=10).read())"


@dataclass(frozen=True)
class Compose:
    """Commands for it. Each raises AssertionError, with what was printed, when the program fails."""

    def call(self, *command: str) -> str:
        """A program in the repository's folder; what it printed."""
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def telecine(self, *arguments: str) -> str:
        """`telecine`, as the operator."""
        return self.call("docker", "compose", "run", "--rm", "-T", "operator", *arguments)

    def audit(self, *arguments: str) -> dict[str, Any]:
        """`telecine-audit … --json`, as the auditor."""
        program = ("--rm", "-T", "--entrypoint", "telecine-audit", "operator")
        printed = self.call("docker", "compose", "run", *program, *arguments, *AUDITOR, "--json")
        found: dict[str, Any] = json.loads(printed)
        return found

    def ids(self, service: str) -> Sequence[str]:
        """The ids of its containers."""
        return self.call("docker", "compose", "ps", "--quiet", service).split()

    def containers(self, service: str) -> Sequence[dict[str, Any]]:
        """What the engine knows of each of its containers."""
        found: list[dict[str, Any]] = json.loads(self.call("docker", "inspect", *self.ids(service)))
        return found

    def addresses(self, service: str, port: int) -> Sequence[str]:
        """Where the port of each of its containers is published."""
        published = [each["NetworkSettings"]["Ports"][f"{port}/tcp"][0] for each in self.containers(service)]
        return [f"http://{one['HostIp']}:{one['HostPort']}" for one in published]

    def fetched(self, container: str, url: str) -> str:
        """What an address answers inside a container."""
        return self.call("docker", "exec", container, "python", "-c", FETCH, url)

    def logged(self, container: str) -> Sequence[str]:
        """The lines it wrote."""
        return self.call("sh", "-c", 'docker logs "$0" 2>&1', container).splitlines()

    def handled(self, consumer: str) -> Sequence[int]:
        """How many messages of a consumer each replica of its service has taken."""
        return [
            _count(self.fetched(each, "http://127.0.0.1:8100/metrics"), consumer)
            for each in self.ids(consumer.partition("-")[0])
        ]

    def submissions(self) -> Sequence[str]:
        """The mark of every task that the provider accepted."""
        journal = json.loads(self.fetched(self.ids("emulator")[0], "http://127.0.0.1:9100/admin/journal"))
        return [
            str((entry.get("body") or {}).get("safety_identifier"))
            for entry in journal["entries"]
            if str(entry["outcome"]).startswith("accepted")
        ]


def _count(page: str, consumer: str) -> int:
    wanted = {"consumer": consumer, "outcome": "done"}
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return sum(
        int(sample.value)
        for sample in samples
        if sample.name == "telecine_handler_messages_total" and wanted.items() <= sample.labels.items()
    )
