"""What a test does with its servers that not every maker of servers allows, said with a mark.

`@pytest.mark.parts("restart")`: ends a server, and may start it again. `@pytest.mark.parts("another")`: needs a second
server of a kind beside its first. A test that does it without the mark fails, whoever makes the servers.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["ANOTHER", "EVERYTHING", "RESTART", "LeftOut", "check", "doing"]

RESTART, ANOTHER = "restart", "another"
EVERYTHING = frozenset({RESTART, ANOTHER})
_marked: set[str] = set()


def _asked_for(item: pytest.Item) -> frozenset[str]:
    wanted = frozenset(str(word) for mark in item.iter_markers("parts") for word in mark.args)
    if unknown := wanted - EVERYTHING:
        raise pytest.UsageError(f"{item.nodeid}: a mark says parts({min(unknown)}), which is nothing")
    return wanted


@contextmanager
def doing(item: pytest.Item) -> Iterator[None]:
    """While this test runs, it does what its marks say."""
    _marked.update(_asked_for(item))
    try:
        yield
    finally:
        _marked.clear()


def check(ability: str) -> None:
    """AssertionError if the test that runs now has no mark for it."""
    assert ability in _marked, f'mark this test with @pytest.mark.parts("{ability}")'


class LeftOut:
    """A plugin: leaves out the tests that ask for more than this run's servers are `able` to, and counts them."""

    def __init__(self, able: frozenset[str]) -> None:
        self._able = able
        self._counts: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        out = [item for item in items if _asked_for(item) - self._able]
        if out:
            items[:] = [item for item in items if item not in out]
            config.hook.pytest_deselected(items=out)
        self._counts.update(min(_asked_for(item) - self._able) for item in out)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for ability, count in sorted(self._counts.items()):
            terminalreporter.write_line(
                f"left out for want of servers that allow it: {count} with {ability!r}"
            )
