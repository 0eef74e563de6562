"""Which tests borrow servers from this run's maker: a run on other servers has nothing to show with the rest."""

import re
from functools import cache
from pathlib import Path

import pytest

__all__ = ["ServerTestFilter"]

_FOLDER = Path(__file__).parents[1]
_SERVER_FIXTURES = frozenset({"nats", "s3", "postgres"})
"""Fixtures of tests/conftest.py that hand out servers."""
_IMPORTED = re.compile(r"^\s*from tests\.support\.([\w.]+) import", re.MULTILINE)


@cache
def _uses_servers(file: Path) -> bool:
    """Whether a module of the tests, or one that it imports, asks for a server."""
    imported = set(_IMPORTED.findall(file.read_text(encoding="utf-8")))
    return "servers.instances" in imported or any(
        _uses_servers((_FOLDER / name.replace(".", "/")).with_suffix(".py")) for name in imported
    )


def _fixtures(item: pytest.Item) -> set[str]:
    return set(item.fixturenames) if isinstance(item, pytest.Function) else set()


class ServerTestFilter:
    """A plugin: leaves out, and counts, the tests that would run on the very same programs as in a run on wheels."""

    def __init__(self) -> None:
        self._count = 0

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        out = {item for item in items if not (_SERVER_FIXTURES & _fixtures(item) or _uses_servers(item.path))}
        if out:
            items[:] = [item for item in items if item not in out]
            config.hook.pytest_deselected(items=[*out])
        self._count += len(out)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._count:  # pytest-xdist's processes do not tell what they leave out
            terminalreporter.write_line(f"left out, for they borrow no server: {self._count}")
