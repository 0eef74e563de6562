"""`telecine prices` on a server with identities: show, check, compare and publish price tables."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from tests.support.processes.command_line import CommandResult, run_command
from tests.support.security.authenticated_nats import guarded_nats

from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_contracts.price_files import built_in_table, parse_price_file

SEED_MODEL = "doubao-seedance-1-0-pro-250528"


@pytest.fixture
def server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[EmbeddedNats]:
    with guarded_nats(tmp_path / "nats") as server:
        where = ("--nats-url", server.url, "--monitoring-url", server.monitoring_url)
        seed = ("--nkey-seed", str(server.access("provisioner").nkey_seed))
        assert run_command(capsys, "provision", *where, *seed).code == 0
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The built-in table with one other price and another version."""
    path = tmp_path / "prices.toml"
    text = files("telecine_contracts").joinpath("prices.toml").read_text(encoding="utf-8")
    path.write_text(text.replace('"2026-12"', '"mine-1"').replace("per_clip = 40", "per_clip = 41"))
    return path


def prices(
    capsys: pytest.CaptureFixture[str], server: EmbeddedNats, command: str, *arguments: str | Path
) -> CommandResult:
    who = ("--nats-url", server.url, "--nkey-seed", str(server.access("operator").nkey_seed))
    return run_command(capsys, "prices", command, *arguments, *who)


def test_the_first_table_is_in_force_whatever_the_clocks_say(
    server: EmbeddedNats, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = prices(capsys, server, "show", "--at", "2000-01-01")
    assert (shown.code, shown.out.splitlines()[0]) == (
        0,
        f"Price table {built_in_table().version}, in force since 1970-01-01T00:00:00.000Z",
    )
    assert parse_price_file(prices(capsys, server, "show", "--toml").out) == built_in_table()


def test_a_file_is_compared_and_published_once(
    server: EmbeddedNats, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    compared = prices(capsys, server, "diff", file)
    rows = [line.split() for line in compared.out.splitlines() if line.startswith("doubao")]
    assert rows[:2] == [
        [SEED_MODEL, "480p", "-", "2-10", "40", "41"],
        [SEED_MODEL, "480p", "-", "11-12", "60", "62"],
    ]
    assert {row[1] for row in rows} == {"480p"}

    later = datetime(2099, 1, 1, tzinfo=UTC)
    published = prices(capsys, server, "publish", file, "--at", later.isoformat(), "--json")
    assert json.loads(published.out) == {
        "version": "mine-1",
        "changed": True,
        "effective_from": "2099-01-01T00:00:00.000Z",
    }
    again = prices(capsys, server, "publish", file, "--at", later.isoformat())
    assert "was published before: nothing changes" in again.out
    assert "Table mine-1 follows at 2099-01-01T00:00:00.000Z" in prices(capsys, server, "show").out

    file.write_text(file.read_text().replace("per_clip = 41", "per_clip = 42"))
    refused = prices(capsys, server, "publish", file)
    assert (refused.code, "version mine-1 is another table already" in refused.err) == (1, True)
    past = prices(capsys, server, "publish", file, "--at", "2001-01-01")
    assert past.code == 1


def test_a_check_names_everything_that_is_wrong_and_needs_no_server(
    capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    good = run_command(capsys, "prices", "check", file)
    assert (good.code, good.out.splitlines()[0]) == (0, "Price table mine-1: 20 rates, 3 factors")
    file.write_text(file.read_text().replace("per_clip = 41", "per_clip = -1\nprice = 3"))
    bad = run_command(capsys, "prices", "check", file)
    assert bad.code == 1
    assert "rates[1].per_clip: " in bad.err
    assert "rates[1].price: is not a field of a price table" in bad.err
    missing = run_command(capsys, "prices", "check", file.with_name("other.toml"))
    assert (missing.code, "cannot be read" in missing.err) == (1, True)
