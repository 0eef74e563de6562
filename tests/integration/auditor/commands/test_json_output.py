"""`--json` prints what the published schemas say, for every command and every outcome."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.support.audit.command import AuditorCommand, AuditResult
from tests.support.audit.nats_ledger import (
    LOG,
    provisioned_connection,
    renumber,
    signed_checkpoint,
    small_ledger,
    stored_checkpoint,
)
from tests.support.audit.streams import StreamBuilder, november_streams
from tests.support.environments.projected_tables import project_entries
from tests.support.servers.instances import NatsServer

import telecine_credits.read_model.projections
from telecine_auditor.cli import COMMANDS
from telecine_auditor.json_documents import DOCUMENTS, ERROR, name_of, schema_of
from telecine_auditor.mirror.writer import open_mirror
from telecine_credits.checkpoints.key import Signer

SIGNER = Signer.new(LOG)
KEY = ("--key", SIGNER.verifier)
SCHEMAS = Path(__file__).parents[4] / "auditor" / "schemas"


def test_the_published_schemas_are_those_of_the_program() -> None:
    """After a change: python -m telecine_auditor.json_documents auditor/schemas"""
    published = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.iterdir()}
    assert published == {command: schema_of(command) for command in DOCUMENTS}
    assert set(DOCUMENTS) == {*COMMANDS, ERROR}


def mirrored(folder: Path, streams: StreamBuilder, size: int | None = None) -> Path:
    notes = [stored_checkpoint(signed_checkpoint(SIGNER, streams.ledger, size))]
    with open_mirror(folder) as mirror:
        for stream, entries in (
            ("LEDGER", streams.ledger),
            ("VIDEO", streams.video),
            ("CHECKPOINTS", notes),
        ):
            mirror.stream(stream).append(renumber(entries))
    return folder


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> AuditorCommand:
    return AuditorCommand(capsys)


def validated_document(command: str, done: AuditResult, code: int) -> Any:
    """The document, as its schema says and with nothing besides."""
    assert done.code == code, (command, done)
    document = done.document
    Draft202012Validator(schema_of(command, closed=True)).validate(document)
    assert document["document"] == name_of(command)
    return document


def reports(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every command that reads a mirror, with what it needs besides."""
    return {
        "verify": (*KEY, "--save", folder / "state"),
        "balances": (),
        "statement": ("ann",),
        "trial-balance": (),
        "liability": ("--accounts",),
        "show": (4,),
        "reconcile": (),
        "export": ("--format", "csv", "--out", folder / "books.csv"),
        "compare": ("--credits-db", f"sqlite:///{folder}/credits.db"),
        "checkpoint": KEY,
        "prove": (2, *KEY, "--out", folder / "proof"),
    }


async def test_every_report_is_as_its_schema_says(audit: AuditorCommand, tmp_path: Path) -> None:
    streams = november_streams()
    project_entries(
        f"sqlite:///{tmp_path}/credits.db", telecine_credits.read_model.projections, streams.ledger
    )
    true = mirrored(tmp_path / "mirror", streams, 16)
    streams.change(4, lambda body: body["balances"].update(available=511))
    false = mirrored(tmp_path / "changed", streams, 3)
    with sqlite3.connect(tmp_path / "credits.v1_1.db") as connection:
        connection.execute("UPDATE account SET held = 0")
    connection.close()
    breached = {
        "verify",
        "balances",
        "statement",
        "trial-balance",
        "liability",
        "reconcile",
        "export",
        "compare",
    }
    for command, arguments in reports(tmp_path).items():
        done = await audit(command, *arguments, "--from", true, "--json")
        validated_document(command, done, 1 if command in ("compare", "verify") else 0)
        done = await audit(command, *arguments, "--from", false, "--json")
        validated_document(command, done, int(command in breached))
    proof = (tmp_path / "proof").read_text()
    assert (
        validated_document("check-proof", await audit("check-proof", tmp_path / "proof", *KEY, "--json"), 0)[
            "sequence"
        ]
        == 2
    )
    (tmp_path / "proof").write_text(proof.replace("\nindex 1\n", "\nindex 0\n"))
    assert validated_document(
        "check-proof", await audit("check-proof", tmp_path / "proof", *KEY, "--json"), 1
    )["says"]


async def test_every_failure_is_a_json_document(audit: AuditorCommand, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    commands: dict[str, tuple[object, ...]] = {
        command: (*arguments, "--from", nowhere) for command, arguments in reports(tmp_path).items()
    }
    commands["check-proof"] = (nowhere, *KEY)
    commands["mirror"] = (nowhere, "--nats", "nats://127.0.0.1:1")
    commands["restore"] = (tmp_path / "none", "--nats", "nats://127.0.0.1:1")
    commands["objects"] = commands["fairness"] = ("--from", nowhere)
    assert {*commands, ERROR} == set(DOCUMENTS)
    for command, arguments in commands.items():
        done = await audit(command, *arguments, "--json")
        document = validated_document(ERROR, done, 2)
        assert (document["command"], done.err) == (
            command,
            f"telecine-audit {command}: {document['error']}\n",
        )


@pytest.fixture
async def server(nats: NatsServer) -> AsyncIterator[NatsServer]:
    async with provisioned_connection(nats):
        yield nats


async def test_mirror_and_restore_print_one_shape_for_every_outcome(
    audit: AuditorCommand, server: NatsServer, tmp_path: Path
) -> None:
    first = mirrored(tmp_path / "first", small_ledger(2))
    other = mirrored(tmp_path / "other", small_ledger(3, prefix="h"))
    done = await audit("restore", first, "--nats", server.url, "--json")
    assert validated_document("restore", done, 0)["breaches"] == []
    done = await audit("mirror", tmp_path / "mirror", "--nats", server.url, "--json")
    assert [stream["new"] for stream in validated_document("mirror", done, 0)["streams"]] == [5, 10, 0, 1]
    done = await audit("mirror", other, "--nats", server.url, "--json")
    assert [breach["stream"] for breach in validated_document("mirror", done, 1)["breaches"]] == ["LEDGER"]
