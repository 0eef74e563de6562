"""The auditor's reports as commands: from a mirror and from NATS, as text and as JSON."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.audit.streams import StreamBuilder, november_streams
from tests.support.servers.instances import NatsServer

from telecine_auditor.cli import run
from telecine_chassis.nats.connection import connect
from telecine_cli.provisioning.streams import provision
from telecine_contracts.transparency import leaf_hash

Audit = Callable[..., tuple[int, str, str]]


@pytest.fixture
def streams() -> StreamBuilder:
    return november_streams()


@pytest.fixture
def audit(streams: StreamBuilder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audit:
    """Run a command on a mirror of the streams: exit code, stdout, stderr."""
    folder = tmp_path / "mirror"

    def command(*arguments: object) -> tuple[int, str, str]:
        if not folder.exists():
            streams.mirror(folder)
        code = run([*map(str, arguments), "--from", str(folder)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def json_document(audit: Audit, *arguments: object) -> Any:
    code, out, err = audit(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_balances_of_all_accounts(audit: Audit) -> None:
    code, out, err = audit("balances")
    assert (code, err) == (0, "")
    assert out == (
        "Balances after LEDGER#17, booked by 2026-12-01T10:00:00Z\n\n"
        "account    available  held\n"
        "---------  ---------  ----\n"
        "ann              470    50\n"
        "bob               30     0\n"
        "mal_lory-          7     0\n"
        "total            507    50\n\n"
        "Not checked:\n"
        "  - signed checkpoints and VIDEO: `telecine-audit verify` compares the ledger with them\n"
    )


def test_balances_at_a_point(audit: Audit) -> None:
    (ann,) = json_document(audit, "balances", "ann", "--sequence", 6)["accounts"]
    assert ann == {"account": "ann", "available": 460, "held": 50}
    day = json_document(audit, "balances", "--at", "2026-11-30")
    assert {each["account"]: each["held"] for each in day["accounts"]} == {
        "ann": 50,
        "bob": 0,
        "mal_lory-": 0,
    }
    assert (day["sequence"], day["booked"]) == (16, "2026-11-30T23:59:59.500000Z")


def test_booking_times_of_accounts_are_independent_and_monotonic(audit: Audit) -> None:
    # bob's video was settled by a clock that is behind: at that time it was not yet asked for.
    early = json_document(audit, "balances", "--at", "2026-11-30T23:59:59.4Z")
    assert {each["account"]: each["held"] for each in early["accounts"]}["bob"] == 0
    assert early["sequence"] == 14
    late = json_document(audit, "balances", "--at", "2026-11-30T23:59:59.5Z")
    assert late["sequence"] == 16


def test_a_point_after_the_end_is_an_error(audit: Audit) -> None:
    assert audit("balances", "--sequence", 18) == (
        2,
        "",
        "telecine-audit balances: there is no entry 18: LEDGER ends at 17\n",
    )
    assert audit("balances", "zoe")[0] == 2
    before = json_document(audit, "balances", "--at", "2026-10-01")
    assert (before["sequence"], before["booked"], before["accounts"]) == (0, None, [])


def test_the_trial_balance_is_zero(audit: Audit) -> None:
    code, out, _ = audit("trial-balance")
    assert code == 0
    assert "Every credit is accounted for: the sum is zero.\n\nNot checked:\n" in out
    found = json_document(audit, "trial-balance", "--at", "2026-11-12")
    assert found["sums"] == {"issued": -660, "available": 610, "held": 0, "spent": 50, "expired": 0}
    assert found["total"] == 0


def test_breaches_are_reported_and_end_with_1(audit: Audit, streams: StreamBuilder) -> None:
    streams.change(4, lambda body: body["balances"].update(available=511))
    for command in (("balances",), ("trial-balance",), ("liability",), ("statement", "ann")):
        code, out, err = audit(*command)
        assert code == 1, command
        assert out
        assert "1 breach found; these figures may be wrong" in err
        assert "LEDGER#4  wrong-balance  ann" in err


def test_liability_by_kind_and_expiry(audit: Audit) -> None:
    owed = json_document(audit, "liability", "--at", "2026-11-12")
    assert owed["groups"] == [
        {"kind": "paid", "expires": "never", "available": 500, "held": 0, "unspent": 500},
        {"kind": "plan", "expires": "2026-12", "available": 100, "held": 0, "unspent": 100},
        {"kind": "promotional", "expires": "2026-11", "available": 10, "held": 0, "unspent": 10},
    ]
    assert owed["total"]["unspent"] == 610
    assert owed["past_their_time"]["unspent"] == 0


def test_expired_credits_that_are_not_written_off_are_reported(audit: Audit) -> None:
    code, out, _ = audit("liability", "--at", "2026-11-17", "--accounts")
    assert code == 0
    assert "20 of them are past their time and will expire (20 available, 0 held).\n" in out
    each = json_document(audit, "liability", "--accounts", "--sequence", 17)["groups"]
    assert {group["account"] for group in each} == {"ann", "bob", "mal_lory-"}
    held = next(group for group in each if group["held"])
    assert (held["account"], held["kind"], held["held"], held["unspent"]) == (
        "ann",
        "paid",
        50,
        507 - 37 + 50 - 20,
    )


def test_a_statement_as_text(audit: Audit) -> None:
    code, out, _ = audit("statement", "ann", "--since", "2026-11-09", "--to", "2026-11-12")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "Statement of account ann"
    assert lines[4:] == [
        "510 0 opening balance",
        "6 5 2026-11-09T12:00:00Z -50 +50 460 50 debited 50 credits for generation g2",
        "7 6 2026-11-12T12:00:00Z +50 -50 510 0 refunded 50 credits (deadline) for generation g2",
        "510 0 closing balance",
    ]


def test_statements_of_consecutive_periods_join(audit: Audit) -> None:
    first = json_document(audit, "statement", "ann", "--to", "2026-11-10")
    then = json_document(audit, "statement", "ann", "--since", "2026-11-11")
    whole = json_document(audit, "statement", "ann")
    assert first["closing"] == then["opening"]
    assert first["entries"] + then["entries"] == whole["entries"]
    assert (whole["opening"], whole["closing"]) == (
        {"available": 0, "held": 0},
        {"available": 470, "held": 50},
    )
    assert [line["about"] for line in whole["entries"]][:4] == ["pay-1", "welcome", "g1", "g1"]


def test_a_period_without_entries_has_two_equal_balances(audit: Audit) -> None:
    empty = json_document(audit, "statement", "ann", "--since", "2026-11-21", "--to", "2026-11-22")
    assert (empty["entries"], empty["opening"], empty["closing"]) == ([], empty["closing"], empty["opening"])
    assert audit("statement", "zoe")[0] == 2


def test_a_statement_as_csv(audit: Audit) -> None:
    code, out, _ = audit("statement", "mal_lory-", "--csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["change"] for row in rows] == ["opening", "granted", "closed", "reopened", "closing"]
    assert rows[1]["reference"].startswith("'=cmd")
    assert (rows[0]["available"], rows[1]["available_change"], rows[-1]["available"]) == ("0", "7", "7")


def test_terminal_escapes_are_sanitized(audit: Audit) -> None:
    for command in (("statement", "mal_lory-"), ("show", 10), ("show", 11), ("show", 10, "--json")):
        _, out, _ = audit(*command)
        assert all(line.isprintable() for line in out.split("\n")), command


def test_one_entry_is_shown_in_full(audit: Audit, streams: StreamBuilder) -> None:
    code, out, _ = audit("show", 3)
    assert code == 0
    assert "did        debited 50 credits for generation g1\n" in out
    assert f"leaf hash  {leaf_hash(streams.ledger[2].stated).hex()}\n" in out
    assert "  ce-type: credits.debited.v1\n" in out
    assert '    "generation": "g1",' in out
    shown = json_document(audit, "show", 1, "--stream", "VIDEO")
    assert shown["did"].startswith("requested text-to-video, ")
    assert shown["body"]["price"]["credits"] == 50


def test_bodies_that_are_not_json_are_shown_unchanged(audit: Audit, streams: StreamBuilder) -> None:
    twice = streams.ledger[0]._replace(body=b'{"amount":1,"amount":2}')
    text, binary = (
        twice._replace(sequence=2, body=b"text\x1b[2J"),
        twice._replace(sequence=3, body=b"\xff\x00a"),
    )
    streams.ledger[:3] = [twice, text, binary]
    assert '  {"amount":1,"amount":2}\n' in audit("show", 1)[1]
    assert "  text%1B[2J\n" in audit("show", 2)[1]
    code, out, _ = audit("show", 3)
    assert code == 0
    assert "body (binary, 3 bytes)\n  000000  ff 00 61" in out
    assert json_document(audit, "show", 3)["bytes"] == "/wBh"


def test_invalid_utf8_is_shown(audit: Audit, streams: StreamBuilder) -> None:
    streams.change(10, lambda body: body.update(reason="\ud800"))
    for command in (("show", 10), ("show", 10, "--json")):
        code, out, _ = audit(*command)
        assert code == 0, command
        assert "\\ud800" in out
    code, out, err = audit("statement", "mal_lory-")
    assert code == 1
    assert "LEDGER#10  unreadable" in err


def test_usage_is_reconciled_from_a_mirror(audit: Audit) -> None:
    code, out, _ = audit("reconcile", "--tokens-per-credit", 100)
    assert code == 0
    assert "settled without usage: 2, 0 tokens known\n" in out
    assert "tasks that the provider may have: none\n" in out
    found = json_document(audit, "reconcile", "--since", "2026-11-30")
    assert found["possible_tasks"] == []
    assert found["total"] == {"settled": 1, "credits": 70, "tokens": 0, "unpaid": 0, "rate": "0.00"}
    assert [each["generation"] for each in found["lists"]["settled_without_usage"]] == ["g5"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["balances", "--at", "noon"], "invalid time 'noon': must be a date (2026-11-01) or a time"),
        (["balances", "--at", "2026-11-01", "--sequence", "1"], "--at and --sequence exclude each other"),
        (["statement", "ann", "--from", "2026-11-02", "--to", "2026-11-01"], "--to must not be earlier"),
        (["show", "0"], "invalid sequence '0', expected a whole number"),
        (
            ["reconcile", "--tokens-per-credit", "0.5"],
            "invalid number of tokens '0.5', expected a whole number",
        ),
        (
            ["export", "--format", "pdf", "--out", "x"],
            "invalid format 'pdf', expected hledger, beancount, csv",
        ),
    ],
)
def test_usage_errors_are_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


async def test_reports_from_nats_and_from_a_mirror_are_equal(
    nats: NatsServer, streams: StreamBuilder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = await connect(nats.url, "tests")
    await provision(connection, consumers=[])
    stream = connection.jetstream()
    for entry in (*streams.ledger, *streams.video):
        headers = dict(line.split(": ", 1) for line in entry.head.decode().split("\r\n") if line)
        await stream.publish(entry.subject, entry.body, headers=headers)
    await connection.close()
    capsys.readouterr()
    mirror = str(streams.mirror(tmp_path / "mirror"))
    for command in (
        ["balances"],
        ["statement", "ann"],
        ["trial-balance", "--at", "2026-11-12"],
        ["liability", "--sequence", "9"],
        ["reconcile"],
    ):
        said = []
        for place in (["--nats", nats.url], ["--from", mirror]):
            assert await asyncio.to_thread(run, [*command, *place]) == 0
            said.append(capsys.readouterr())
        assert said[0] == said[1]
        assert said[0].out
