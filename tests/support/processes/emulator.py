"""The provider emulator as a process, and a client for its tests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

__all__ = ["KEY", "MODEL", "EmulatorProcess", "running_emulator", "text"]

KEY = "emulator-test-key"
MODEL = "doubao-seedance-1-0-pro-250528"
QUEUE_SECONDS, RUN_SECONDS = 10, 20
TASKS = "/api/v3/contents/generations/tasks"


def text(prompt: str) -> dict[str, Any]:
    return {"type": "text", "text": prompt}


@dataclass
class EmulatorProcess:
    """Tasks are queued for 10 s and run for 20 s of the emulator's clock, unless options say otherwise."""

    data: Path
    options: tuple[str, ...] = ()
    url: str = ""
    client: httpx.Client = field(default_factory=httpx.Client)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns after it listens."""
        times = (f"--queue-seconds={QUEUE_SECONDS}", f"--run-seconds={RUN_SECONDS}")
        command = [sys.executable, "-m", "telecine_emulator", "--data", str(self.data), f"--api-key={KEY}"]
        self.process = subprocess.Popen([*command, *times, *self.options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = json.loads(self.process.stdout.readline())["url"]
        headers = {"Authorization": f"Bearer {KEY}"}
        self.client.close()
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process
        self.process.kill()
        self.process.communicate()

    def stop(self) -> None:
        self.client.close()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.communicate(timeout=10)

    def post(self, body: Any = None, **fields: Any) -> httpx.Response:
        """A create request with this `body`, or with a small valid one that `fields` override."""
        small = {"model": MODEL, "content": [text("a kite")], "resolution": "480p", "duration": 2}
        return self.client.post(TASKS, json={**small, **fields} if body is None else body)

    def create(self, prompt: str = "a kite", **fields: Any) -> str:
        """Creates a task and returns its id."""
        answer = self.post(**{"content": [text(prompt)], **fields})
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["id"]
        return task_id

    def get(self, task_id: str) -> dict[str, Any]:
        answer = self.client.get(f"{TASKS}/{task_id}")
        assert answer.status_code == 200, answer.text
        task: dict[str, Any] = answer.json()
        return task

    def listed(self, *query: tuple[str, str | int]) -> dict[str, Any]:
        answer = self.client.get(TASKS, params=list(query))
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def delete(self, task_id: str) -> httpx.Response:
        return self.client.request("DELETE", f"{TASKS}/{task_id}", json={})

    def advance(self, seconds: float) -> None:
        """Advances the clock; returns after all due changes have happened."""
        answer = self.client.post("/admin/clock", json={"advance_seconds": seconds})
        assert answer.status_code == 200, answer.text

    def finish(self, task_id: str) -> dict[str, Any]:
        """Lets the task finish and returns it."""
        self.advance(QUEUE_SECONDS + RUN_SECONDS)
        return self.get(task_id)

    def fault(
        self, name: str, value: Any = None, *, times: int | None = None, match: str | None = None
    ) -> None:
        body = {"name": name, "value": value, "times": times, "match": match}
        answer = self.client.post("/admin/faults", json=body)
        assert answer.status_code == 201, answer.text

    def clear_faults(self) -> None:
        self.client.delete("/admin/faults")

    def journal(self, action: str = "create") -> list[dict[str, Any]]:
        """Oldest first."""
        entries: list[dict[str, Any]] = self.client.get("/admin/journal", params={"action": action}).json()[
            "entries"
        ]
        return entries

    def video(self, task_id: str, **headers: str) -> httpx.Response:
        """Downloads the task's clip; the signed URL needs no key."""
        url = self.get(task_id)["content"]["video_url"]
        return httpx.get(url, headers=headers, trust_env=False)


@contextmanager
def running_emulator(data: Path, *options: str) -> Iterator[EmulatorProcess]:
    """Runs an emulator with these command line options."""
    emulator = EmulatorProcess(data, options)
    emulator.start()
    try:
        yield emulator
    finally:
        emulator.stop()
