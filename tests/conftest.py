"""Fixtures over tests/support, and a mark for every test from the folder it lies in."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
from tests.support.environments.databases import postgres_databases, uses_postgres
from tests.support.environments.saga import Emulator, emulator_process
from tests.support.plugins.server_users import ServerTestFilter
from tests.support.plugins.timeout_report import TaskReportOnTimeout
from tests.support.servers.backend import CONTAINERS, WHEELS, backend_name, maker
from tests.support.servers.instances import (
    NatsServer,
    Postgres,
    S3Server,
    nats_server,
    postgres_server,
    s3_server,
)

_TESTS = Path(__file__).parent
_TIERS = frozenset({"unit", "contract", "integration", "chaos", "tidy"})
_SERVER_FIXTURES = frozenset({"nats", "s3", "emulator", "postgres", "server"})
UNCLOSED_SOCKET_WARNING = (
    "ignore:Exception ignored in. <(function (StreamWriter|_SelectorTransport)|socket)"
    ":pytest.PytestUnraisableExceptionWarning"
)
"""Docker listens on a port while its server is down; nats-py leaks a socket on which no server sends INFO."""

# The same examples in every run, however slow the machine is: a failure is always a change of the code.
hypothesis.settings.register_profile("telecine", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("telecine")

# The default draws every local variable around a traceback: seconds in which the event loop of a test stands still.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(utc=False, fmt="%H:%M:%S.%f"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_configure(config: pytest.Config) -> None:
    # Ignored where the run was started in the background; every child that is to hear Ctrl-C would ignore it, too.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        maker()
        uses_postgres()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    if backend_name() == CONTAINERS:
        config.addinivalue_line("filterwarnings", UNCLOSED_SOCKET_WARNING)
    if backend_name() != WHEELS:
        config.pluginmanager.register(ServerTestFilter(), "only_borrowers")
    config.pluginmanager.register(TaskReportOnTimeout(), "told_when_it_hangs")


def pytest_sessionfinish() -> None:
    """Here, and not when pytest itself ends: pytest-xdist gives its processes ten seconds for that."""
    maker().close()


def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` means: two for each core.

    Half of a test's time is spent waiting for servers, timers and processes.
    """
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        tier = item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else ""
        if tier in _TIERS:
            item.add_marker(tier)
        if isinstance(item, pytest.Function) and not _SERVER_FIXTURES.isdisjoint(item.fixturenames):
            item.add_marker("server")


@pytest.fixture(scope="session", autouse=True)
def _databases(request: pytest.FixtureRequest) -> Iterator[None]:
    """The database server of the run, where the services' tables are not in files."""
    if not uses_postgres():
        yield
        return
    with postgres_databases(request.getfixturevalue("postgres")):
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres for the whole run: make databases in it and never stop it."""
    with postgres_server() as server:
        yield server


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A fresh nats-server for this test, which the test may kill and start again."""
    async with nats_server(tmp_path) as server:
        yield server


@pytest.fixture
def nats_url(nats: NatsServer) -> str:
    """The URL of a fresh nats-server for this test."""
    return nats.url


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server for the whole run: use `s3_bucket` and never stop it."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_bucket(s3: S3Server) -> str:
    """The name of an empty bucket for this test."""
    return s3.new_bucket()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A provider for the whole run; faults are put into prompts, so that tests do not meet each other's."""
    with emulator_process(tmp_path_factory.mktemp("provider")) as running:
        yield running
