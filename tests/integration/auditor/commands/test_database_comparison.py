"""The tables of credits against the ledger: nothing differs, and every change is named."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from tests.support.audit.streams import StreamBuilder, november_streams, november_time
from tests.support.environments.databases import database_url
from tests.support.environments.projected_tables import project_entries
from tests.support.environments.saga import Emulator, saga
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, S3Server
from tests.support.servers.postgres import Postgres

import telecine_credits.read_model.projections as projections
from telecine_auditor.cli import run
from telecine_auditor.databases.comparison import compare_tables
from telecine_auditor.databases.diff import Difference
from telecine_auditor.databases.reader import open_tables
from telecine_auditor.mirror.source import MirrorSource
from telecine_auditor.sources.message import StoredMessage
from telecine_contracts.commands import GrantCredits, SetSpendLimits
from telecine_contracts.credits import GrantKind
from telecine_contracts.pricing import seed_price
from telecine_credits.rules.commands import Debit, Refund, TimedCommand

FoundDifference = tuple[str, tuple[Any, ...], str | None, Any, Any]
"""Table, key, column, value found, value expected."""
Compare = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database, on SQLite and on Postgres."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tables.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


def change(url: str, statement: str) -> None:
    """Change a row as a person with access to the database could."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite":
        file = Path(where.database or "")
        where = where.set(database=str(file.with_name(f"{file.stem}.v1_1{file.suffix}")))
    engine = create_engine(where)
    with engine.begin() as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(text("SET search_path TO v1_1"))
        assert connection.execute(text(statement)).rowcount == 1, statement
    engine.dispose()


class ComparisonEnvironment:
    """The story in a mirror, and a database filled from it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.streams = november_streams()
        self._folder = folder

    def fill(self, entries: list[StoredMessage] | None = None, *, slot: int = 1) -> None:
        project_entries(self.url, projections, self.streams.ledger if entries is None else entries, slot=slot)

    async def differences(self) -> list[FoundDifference]:
        source = MirrorSource(self.streams.mirror(self._folder / "mirror"), lambda breach: None)
        differences: list[Difference] = []
        self.compared = await compare_tables(self.url, source, differences.append)
        return [(each.table, each.key, each.column, each.found, each.expected) for each in differences]


@pytest.fixture
def environment(url: str, tmp_path: Path) -> ComparisonEnvironment:
    return ComparisonEnvironment(url, tmp_path)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> ComparisonEnvironment:
    """For what does not depend on the kind of database."""
    return ComparisonEnvironment(f"sqlite:///{tmp_path / 'tables.db'}", tmp_path)


async def test_tables_that_match_the_ledger_have_no_difference(environment: ComparisonEnvironment) -> None:
    environment.fill()
    assert await environment.differences() == []
    assert environment.compared.rows == {"account": 3, "ledger_grant": 4, "hold": 1, "ledger_tree": 0}


async def test_tables_are_compared_at_the_sequence_that_they_have_reached(
    on_sqlite: ComparisonEnvironment,
) -> None:
    environment = on_sqlite
    environment.fill(environment.streams.ledger[:15])
    assert await environment.differences() == []
    assert environment.compared.reader.replay.sequence == 15


async def test_a_clock_that_ran_behind_is_no_difference(on_sqlite: ComparisonEnvironment) -> None:
    environment = on_sqlite
    environment.streams = StreamBuilder()
    price = seed_price("720p", 5)
    for minute, number in ((30, 1), (20, 2), (29, 3)):
        environment.streams.do(
            TimedCommand(
                GrantCredits(
                    account="ann",
                    amount=90,
                    kind=GrantKind.PAID,
                    reference=f"r{number}",
                ),
                november_time(5, 12, minute),
            )
        )
        at = november_time(5, 12, minute - number)
        environment.streams.do(TimedCommand(Debit(account="ann", generation=f"g{number}", price=price), at))
    environment.streams.do(
        TimedCommand(Refund(account="ann", generation="g1", reason="deadline"), november_time(5, 12, 1))
    )
    environment.streams.do(TimedCommand(SetSpendLimits(account="ann", per_day=100), november_time(5, 12, 0)))
    environment.fill()
    assert await environment.differences() == []


async def test_the_live_slot_is_compared(environment: ComparisonEnvironment) -> None:
    environment.fill([])
    environment.fill(slot=2)
    assert await environment.differences() == []
    assert environment.compared.rows["account"] == 3


CHANGES: list[tuple[str, FoundDifference]] = [
    ("UPDATE account SET sequence = 13 WHERE account = 'ann'", ("account", ("ann",), "sequence", 13, 14)),
    (
        "UPDATE account SET is_closed = true WHERE account = 'bob'",
        ("account", ("bob",), "is_closed", True, False),
    ),
    ("DELETE FROM account WHERE account = 'mal_lory-'", ("account", ("mal_lory-",), None, None, "a row")),
    (
        "UPDATE ledger_grant SET spent = 69 WHERE account = 'bob'",
        ("ledger_grant", ("bob", 1), "spent", 69, 70),
    ),
    (
        "UPDATE ledger_grant SET kind = 'paid' WHERE account = 'ann' AND entry = 2",
        ("ledger_grant", ("ann", 2), "kind", "paid", "promotional"),
    ),
    ("UPDATE hold SET parts = '[[2, 50]]'", ("hold", ("ann", "g3"), "parts", [[2, 50]], [[1, 50]])),
    (
        "INSERT INTO hold (account, generation, amount, parts, since)"
        " VALUES ('ann', 'g0', 1, '[]', '2026-11-05 12:00:00')",
        ("hold", ("ann", "g0"), None, "a row", None),
    ),
    ("UPDATE checkpoint SET sequence = 18", ("checkpoint", ("ledger",), "sequence", 18, "17 at most")),
]


async def test_every_change_is_named_and_nothing_else(environment: ComparisonEnvironment) -> None:
    environment.fill()
    for statement, _ in CHANGES:
        change(environment.url, statement)
    found = await environment.differences()
    assert sorted(map(str, found)) == sorted(str(difference) for _, difference in CHANGES)


async def test_the_tree_that_credits_continues_from_is_compared(environment: ComparisonEnvironment) -> None:
    environment.fill()
    literal = "x'{}'" if environment.url.startswith("sqlite") else "'\\x{}'"
    tree = f"INSERT INTO ledger_tree (log, size, peaks) VALUES ('ledger', 3, {literal.format('00' * 64)})"  # noqa: S608
    change(environment.url, tree)
    ((table, key, column, found, _),) = await environment.differences()
    assert (table, key, column, found) == ("ledger_tree", ("ledger",), "peaks", bytes(64))


@pytest.fixture
def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Compare:
    mirror = november_streams().mirror(tmp_path / "mirror")

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(["compare", *arguments, "--from", str(mirror)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_a_folder_whose_name_needs_quoting_is_found(tmp_path: Path, compare: Compare) -> None:
    folder = tmp_path / "job%2Fmain? #ü:1"
    folder.mkdir()
    url = URL.create("sqlite", database=f"{folder / 'credits.db'}").render_as_string()
    project_entries(url, projections, november_streams().ledger)
    assert sorted(file.suffix for file in folder.iterdir()) == [".db", ".db"]
    code, out, _ = compare("--credits-db", url)
    assert (code, out.endswith("Every row matches the ledger.\n")) == (0, True)


def test_the_command_names_what_differs_and_ends_with_1(tmp_path: Path, compare: Compare) -> None:
    credits = f"sqlite:///{tmp_path}/credits.db"
    project_entries(credits, projections, november_streams().ledger)
    with sqlite3.connect(tmp_path / "credits.v1_1.db") as connection:
        connection.execute("UPDATE account SET held = 0 WHERE account = 'ann'")
    connection.close()
    code, out, _ = compare("--credits-db", credits)
    assert code == 1
    assert (
        "credits: 3 of account, 4 of ledger_grant, 1 of hold, 0 of ledger_tree compared after LEDGER#17"
        in out
    )
    assert (
        "credits  database-differs  account ann: held is 0, the ledger says 50\nValues that differ: 1\n"
        in out
    )
    code, out, _ = compare("--credits-db", credits, "--json")
    document = json.loads(out)
    assert (code, document["count"]) == (1, 1)
    assert document["differences"][0] | {"found": 0, "expected": 50} == document["differences"][0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Missing option '--credits-db'"),
        (["--gateway-db", "sqlite:///gateway.db"], "No such option: --gateway-db"),
        (["--credits-db", "credits.db"], "must be sqlite:///FILE or postgresql://"),
        (["--credits-db", "mysql://u:secret@h/d"], "must be sqlite:///FILE or postgresql://"),
        (["--credits-db", "sqlite:///nowhere.db"], "there is no database file nowhere.db"),
        (["--credits-db", "postgresql://u:secret@127.0.0.1:1/d"], "the credits database cannot be read"),
    ],
)
def test_an_unusable_database_is_an_error_without_its_password(
    arguments: list[str], says: str, compare: Compare
) -> None:
    code, out, err = compare(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert "secret" not in err


def test_a_file_that_is_not_a_database_is_an_error(tmp_path: Path, compare: Compare) -> None:
    (tmp_path / "text.db").write_text("not a database, though long enough to look like a page of one" * 20)
    code, _, err = compare("--credits-db", f"sqlite:///{tmp_path}/text.db")
    assert code == 2
    assert "cannot be read: file is not a database" in err


_AS_UNPRIVILEGED_USER = """
import os, sys
from telecine_auditor.databases.reader import open_tables
from telecine_auditor.databases.schema import ACCOUNT
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
with open_tables(sys.argv[1]) as tables:
    print(tables.position(), len(list(tables.rows(ACCOUNT))))
"""


def test_a_copy_in_a_read_only_folder_is_read() -> None:
    # Not below pytest's own folders: only their owner may enter those.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project_entries(f"sqlite:///{folder}/credits.db", projections, november_streams().ledger)
        assert {path.suffix for path in folder.iterdir()} == {".db"}
        for file in folder.iterdir():
            file.chmod(0o644)
        folder.chmod(0o555)
        command = [sys.executable, "-c", _AS_UNPRIVILEGED_USER, f"sqlite:///{folder}/credits.db"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        folder.chmod(0o755)
    assert (done.returncode, done.stdout) == (0, "17 3\n"), done.stderr


async def test_what_services_wrote_matches_the_ledger(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    credits = database_url(tmp_path, "credits")
    command = ["compare", "--credits-db", credits, "--nats", nats.url]
    async with saga(nats, s3, emulator, tmp_path) as environment:
        await environment.start("gateway")
        await environment.grant("ann", 60)
        await environment.closed("ann", await environment.request("ann"))
        await environment.closed("ann", await environment.request("ann", prompt="a second one is too much"))
        last = (await environment.ledger("ann"))[-1].sequence
        await eventually(lambda: _position(credits) >= last, within=20)
        capsys.readouterr()
        assert await asyncio.to_thread(run, command) == 0
        said = capsys.readouterr().out
        assert "credits: 1 of account, 1 of ledger_grant, 0 of hold" in said
        assert await asyncio.to_thread(run, ["reconcile", "--nats", nats.url, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["total"]["settled"], found["total"]["credits"]) == (1, 40)
        assert found["total"]["tokens"] > 0
        assert [name for name, lines in found["lists"].items() if lines] == []
    change(credits, "UPDATE ledger_grant SET spent = spent - 1")
    assert await asyncio.to_thread(run, command) == 1
    assert (
        "credits  database-differs  ledger_grant ann/1: spent is 39, the ledger says 40"
        in capsys.readouterr().out
    )


def _position(url: str) -> int:
    with open_tables(url) as tables:
        return tables.position()
