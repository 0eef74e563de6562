"""Services' databases against the ledger: nothing differs, and whatever is changed is named."""

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

import telecine_credits.read_model.projections
import telecine_gateway.read_model.projections
from telecine_auditor.cli import run
from telecine_auditor.databases.comparison import compare_credits, compare_gateway
from telecine_auditor.databases.diff import Difference
from telecine_auditor.databases.reader import open_tables
from telecine_auditor.databases.schema import CREDITS as CREDITS_TABLES
from telecine_auditor.databases.schema import GATEWAY as GATEWAY_TABLES
from telecine_auditor.databases.schema import Database
from telecine_auditor.mirror.source import MirrorSource
from telecine_auditor.sources.message import Entry
from telecine_contracts.credits import GrantKind
from telecine_contracts.pricing import PRICE_TABLE
from telecine_credits.rules.decider import Debit, Grant, Refund, SetLimits

GATEWAY, CREDITS = telecine_gateway.read_model.projections, telecine_credits.read_model.projections
FoundDifference = tuple[str, tuple[Any, ...], str | None, Any, Any]
"""Table, key, column, value found, value expected."""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database, on both kinds of server that services can be on."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tables.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


def change(url: str, statement: str, *, schema: str) -> None:
    """Change a row as somebody with access to the database could."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite":
        file = Path(where.database or "")
        where = where.set(database=str(file.with_name(f"{file.stem}.{schema}{file.suffix}")))
    engine = create_engine(where)
    with engine.begin() as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(text(f"SET search_path TO {schema}"))
        assert connection.execute(text(statement)).rowcount == 1, statement
    engine.dispose()


class ComparisonEnvironment:
    """The story in a mirror, and a database filled from it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.streams = november_streams()
        self._folder = folder

    def fill(self, projections: Any, entries: list[Entry] | None = None, *, slot: int = 1) -> None:
        project_entries(self.url, projections, self.streams.ledger if entries is None else entries, slot=slot)

    def change(self, statement: str, *, schema: str) -> None:
        change(self.url, statement, schema=schema)

    async def differences(self, compare: Callable[..., Any]) -> list[FoundDifference]:
        source = MirrorSource(self.streams.mirror(self._folder / "mirror"), lambda breach: None)
        differences: list[Difference] = []
        self.compared = await compare(self.url, source, differences.append)
        return [(each.table, each.key, each.column, each.found, each.expected) for each in differences]


@pytest.fixture
def environment(url: str, tmp_path: Path) -> ComparisonEnvironment:
    return ComparisonEnvironment(url, tmp_path)


async def test_tables_that_are_as_the_ledger_says(environment: ComparisonEnvironment) -> None:
    environment.fill(GATEWAY)
    assert await environment.differences(compare_gateway) == []
    assert environment.compared.rows == {
        "ledger_entry": 17,
        "balance": 3,
        "credit_grant": 4,
        "spend_limit": 1,
        "charge": 5,
    }


async def test_tables_of_credits_that_are_as_the_ledger_says(environment: ComparisonEnvironment) -> None:
    environment.fill(CREDITS)
    assert await environment.differences(compare_credits) == []
    assert environment.compared.rows == {"account": 3, "ledger_grant": 4, "hold": 1, "ledger_tree": 0}


async def test_tables_are_judged_by_what_they_have_come_to(environment: ComparisonEnvironment) -> None:
    environment.fill(GATEWAY, environment.streams.ledger[:15])
    assert await environment.differences(compare_gateway) == []
    assert environment.compared.walk.books.sequence == 15


@pytest.mark.parametrize(
    ("projections", "compare"),
    [(GATEWAY, compare_gateway), (CREDITS, compare_credits)],
    ids=["gateway", "credits"],
)
async def test_a_clock_that_ran_behind_is_no_difference(
    environment: ComparisonEnvironment, projections: Any, compare: Any
) -> None:
    environment.streams = StreamBuilder()
    price = PRICE_TABLE.quote("720p", 5)
    for minute, number in ((30, 1), (20, 2), (29, 3)):
        environment.streams.do(
            Grant(
                account="ann",
                at=november_time(5, 12, minute),
                amount=90,
                kind=GrantKind.PAID,
                reference=f"r{number}",
            )
        )
        at = november_time(5, 12, minute - number)
        environment.streams.do(Debit(account="ann", at=at, generation=f"g{number}", price=price))
    environment.streams.do(
        Refund(account="ann", at=november_time(5, 12, 1), generation="g1", reason="deadline")
    )
    environment.streams.do(SetLimits(account="ann", at=november_time(5, 12, 0), per_day=100))
    environment.fill(projections)
    assert await environment.differences(compare) == []


async def test_the_live_slot_is_compared(environment: ComparisonEnvironment) -> None:
    environment.fill(CREDITS, [])
    environment.fill(CREDITS, slot=2)
    assert await environment.differences(compare_credits) == []
    assert environment.compared.rows["account"] == 3


GATEWAY_CHANGES: list[tuple[str, FoundDifference]] = [
    (
        "UPDATE balance SET available = 471 WHERE account = 'ann'",
        ("balance", ("ann",), "available", 471, 470),
    ),
    ("UPDATE balance SET closed = true WHERE account = 'bob'", ("balance", ("bob",), "closed", True, False)),
    ("DELETE FROM balance WHERE account = 'mal_lory-'", ("balance", ("mal_lory-",), None, None, "a row")),
    ("UPDATE ledger_entry SET amount = 0 WHERE sequence = 6", ("ledger_entry", (6,), "amount", 0, -50)),
    ("DELETE FROM ledger_entry WHERE sequence = 17", ("ledger_entry", (17,), None, None, "a row")),
    ("UPDATE charge SET reason = 'x' WHERE generation = 'g1'", ("charge", ("g1",), "reason", "x", None)),
    (
        "INSERT INTO charge (generation, account, state, amount, available) VALUES ('g0', 'ann', 'settled', 1, 1)",
        ("charge", ("g0",), None, "a row", None),
    ),
    (
        "UPDATE credit_grant SET kind = 'paid' WHERE number = 2",
        ("credit_grant", ("ann", 2), "kind", "paid", "promotional"),
    ),
    ("UPDATE spend_limit SET per_day = NULL", ("spend_limit", ("ann", ""), "per_day", None, 60)),
]
CREDITS_CHANGES: list[tuple[str, FoundDifference]] = [
    ("UPDATE account SET sequence = 13 WHERE account = 'ann'", ("account", ("ann",), "sequence", 13, 14)),
    (
        "UPDATE ledger_grant SET spent = 69 WHERE account = 'bob'",
        ("ledger_grant", ("bob", 1), "spent", 69, 70),
    ),
    ("UPDATE hold SET parts = '[[2, 50]]'", ("hold", ("ann", "g3"), "parts", [[2, 50]], [[1, 50]])),
    ("UPDATE checkpoint SET sequence = 18", ("checkpoint", ("ledger",), "sequence", 18, "17 at most")),
]


@pytest.mark.parametrize(
    ("projections", "compare", "schema", "changes"),
    [
        (GATEWAY, compare_gateway, "v2_1", GATEWAY_CHANGES),
        (CREDITS, compare_credits, "v1_1", CREDITS_CHANGES),
    ],
    ids=["gateway", "credits"],
)
async def test_whatever_was_changed_is_named_and_nothing_else(
    environment: ComparisonEnvironment,
    projections: Any,
    compare: Any,
    schema: str,
    changes: list[tuple[str, FoundDifference]],
) -> None:
    environment.fill(projections)
    for statement, _ in changes:
        environment.change(statement, schema=schema)
    found = await environment.differences(compare)
    assert sorted(map(str, found)) == sorted(str(named) for _, named in changes)


async def test_the_tree_that_credits_goes_on_from_is_compared(environment: ComparisonEnvironment) -> None:
    environment.fill(CREDITS)
    literal = "x'{}'" if environment.url.startswith("sqlite") else "'\\x{}'"
    tree = f"INSERT INTO ledger_tree (log, size, peaks) VALUES ('ledger', 3, {literal.format('00' * 64)})"  # noqa: S608
    environment.change(tree, schema="v1_1")
    ((table, key, column, found, _),) = await environment.differences(compare_credits)
    assert (table, key, column, found) == ("ledger_tree", ("ledger",), "peaks", bytes(64))


async def test_accounts_from_before_grants_were_named_are_compared_but_for_their_grants(
    environment: ComparisonEnvironment,
) -> None:
    for sequence in (1, 2, 3, 4, 6, 7, 8, 9, 13):
        environment.streams.change(sequence, _as_before)
    del environment.streams.ledger[8:]  # an adjustment can't be told without grants
    environment.fill(GATEWAY)
    assert await environment.differences(compare_gateway) == []


def _as_before(body: dict[str, Any]) -> None:
    body.pop("decided_at", None)
    for posting in body["postings"]:
        posting.pop("grant", None)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    mirror = november_streams().mirror(tmp_path / "mirror")

    def compare(*arguments: str) -> tuple[int, str, str]:
        code = run(["compare", *arguments, "--from", str(mirror)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return compare


def test_a_folder_whose_name_needs_quoting(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    folder = tmp_path / "job%2Fmain? #ü:1"
    folder.mkdir()
    url = URL.create("sqlite", database=f"{folder / 'credits.db'}").render_as_string()
    project_entries(url, CREDITS, november_streams().ledger)
    assert sorted(file.suffix for file in folder.iterdir()) == [".db", ".db"]
    code, out, _ = command("--credits-db", url)
    assert (code, out.endswith("Every row is as the ledger says.\n")) == (0, True)


def test_the_command_names_what_differs(tmp_path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    gateway, credits = f"sqlite:///{tmp_path}/gateway.db", f"sqlite:///{tmp_path}/credits.db"
    project_entries(gateway, GATEWAY, november_streams().ledger)
    project_entries(credits, CREDITS, november_streams().ledger)
    code, out, _ = command("--gateway-db", gateway, "--credits-db", credits)
    assert code == 0
    assert out.endswith("Every row is as the ledger says.\n")
    with sqlite3.connect(tmp_path / "gateway.v2_1.db") as connection:
        connection.execute("UPDATE balance SET held = 0 WHERE account = 'ann'")
    connection.close()
    code, out, _ = command("--gateway-db", gateway)
    assert code == 1
    assert (
        "gateway  database-differs  balance ann: held is 0, the ledger says 50\nValues that differ: 1\n"
        in out
    )
    code, out, _ = command("--gateway-db", gateway, "--json")
    found = json.loads(out)
    assert (code, found["count"]) == (1, 1)
    assert found["differences"][0] | {"found": 0, "expected": 50} == found["differences"][0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say which database: --credits-db URL, --gateway-db URL, or both"),
        (["--gateway-db", "gateway.db"], "must be sqlite:///FILE or postgresql://"),
        (["--gateway-db", "mysql://u:secret@h/d"], "must be sqlite:///FILE or postgresql://"),
        (["--gateway-db", "sqlite:///nowhere.db"], "there is no database file nowhere.db"),
        (["--gateway-db", "postgresql://u:secret@127.0.0.1:1/d"], "the gateway database can't be read"),
    ],
)
def test_a_database_that_can_not_be_read_is_told_without_its_password(
    arguments: list[str], says: str, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert "secret" not in err


def test_a_file_that_is_no_database_is_told(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    (tmp_path / "text.db").write_text(
        "this is no database, though it is long enough to look like a page of one" * 20
    )
    code, _, err = command("--credits-db", f"sqlite:///{tmp_path}/text.db")
    assert code == 2
    assert "can't be read: file is not a database" in err


_AS_UNPRIVILEGED_USER = """
import os, sys
from telecine_auditor.databases.reader import open_tables
from telecine_auditor.databases.schema import CREDITS
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
with open_tables(sys.argv[1], CREDITS) as tables:
    print(tables.checkpoint(), len(list(tables.rows(CREDITS.table("account")))))
"""


def test_a_copy_in_a_folder_that_nobody_may_write_to_is_read() -> None:
    # Not below pytest's own folders: only their owner may enter those.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project_entries(f"sqlite:///{folder}/credits.db", CREDITS, november_streams().ledger)
        assert {path.suffix for path in folder.iterdir()} == {".db"}
        for file in folder.iterdir():
            file.chmod(0o644)
        folder.chmod(0o555)
        command = [sys.executable, "-c", _AS_UNPRIVILEGED_USER, f"sqlite:///{folder}/credits.db"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        folder.chmod(0o755)
    assert (done.returncode, done.stdout) == (0, "17 3\n"), done.stderr


async def test_what_services_wrote_is_what_the_ledger_says(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway, credits = (database_url(tmp_path, name) for name in ("gateway", "credits"))
    command = ["compare", "--gateway-db", gateway, "--credits-db", credits, "--nats", nats.url]
    async with saga(nats, s3, emulator, tmp_path) as environment:
        await environment.start("gateway")
        await environment.grant("ann", 60)
        await environment.closed("ann", await environment.request("ann"))
        await environment.closed("ann", await environment.request("ann", prompt="a second one is too much"))
        last = (await environment.ledger("ann"))[-1].sequence
        databases = ((gateway, GATEWAY_TABLES), (credits, CREDITS_TABLES))
        await eventually(lambda: all(_checkpoint(*each) >= last for each in databases), within=20)
        capsys.readouterr()
        assert await asyncio.to_thread(run, command) == 0
        said = capsys.readouterr().out
        assert "gateway: 4 of ledger_entry, 1 of balance" in said
        assert "credits: 1 of account, 1 of ledger_grant, 0 of hold" in said
        assert await asyncio.to_thread(run, ["reconcile", "--nats", nats.url, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["total"]["settled"], found["total"]["credits"]) == (1, 40)
        assert found["total"]["tokens"] > 0
        assert [name for name, lines in found["lists"].items() if lines] == []
    change(credits, "UPDATE ledger_grant SET spent = spent - 1", schema="v1_1")
    assert await asyncio.to_thread(run, command) == 1
    assert (
        "credits  database-differs  ledger_grant ann/1: spent is 39, the ledger says 40"
        in capsys.readouterr().out
    )


def _checkpoint(url: str, database: Database) -> int:
    with open_tables(url, database) as tables:
        return tables.checkpoint()
