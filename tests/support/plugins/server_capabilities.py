"""What a test does with its servers that not every maker of servers allows, said with a mark.

`@pytest.mark.parts("restart")`: ends a server, and may start it again. `@pytest.mark.parts("another")`: needs a second
server of a kind beside its first. A test that does it without the mark fails with every backend.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = [
    "ALL_CAPABILITIES",
    "RESTART",
    "SECOND_SERVER",
    "CapabilityFilter",
    "active_capabilities",
    "require_capability",
]

RESTART, SECOND_SERVER = "restart", "another"
ALL_CAPABILITIES = frozenset({RESTART, SECOND_SERVER})
_active: set[str] = set()


def _required_capabilities(item: pytest.Item) -> frozenset[str]:
    wanted = frozenset(str(word) for mark in item.iter_markers("parts") for word in mark.args)
    if unknown := wanted - ALL_CAPABILITIES:
        raise pytest.UsageError(f"{item.nodeid}: a mark says parts({min(unknown)}), which is nothing")
    return wanted


@contextmanager
def active_capabilities(item: pytest.Item) -> Iterator[None]:
    """While this test runs, it does what its marks say."""
    _active.update(_required_capabilities(item))
    try:
        yield
    finally:
        _active.clear()


def require_capability(ability: str) -> None:
    """AssertionError if the test that runs now has no mark for it."""
    assert ability in _active, f'mark this test with @pytest.mark.parts("{ability}")'


class CapabilityFilter:
    """A plugin: leaves out the tests that ask for more than this run's servers are `able` to, and counts them."""

    def __init__(self, able: frozenset[str]) -> None:
        self._able = able
        self._counts: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        out = [item for item in items if _required_capabilities(item) - self._able]
        if out:
            items[:] = [item for item in items if item not in out]
            config.hook.pytest_deselected(items=out)
        self._counts.update(min(_required_capabilities(item) - self._able) for item in out)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for ability, count in sorted(self._counts.items()):
            terminalreporter.write_line(
                f"left out for want of servers that allow it: {count} with {ability!r}"
            )
