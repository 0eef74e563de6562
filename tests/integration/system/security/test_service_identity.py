"""A service comes to NATS as itself, or says why it can't and ends."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.security.authenticated_nats import guarded_nats
from tests.support.security.nats_identities import connect_as

from telecine_chassis.runtime.service import run
from telecine_cli.provisioning.credentials import make_credentials, seed_file
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_contracts.commands import GrantCredits, LedgerAnswer
from telecine_contracts.permissions import OPERATOR
from telecine_credits.app import build
from telecine_credits.settings import Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    with guarded_nats(tmp_path_factory.mktemp("guarded")) as part:
        yield part


def settings(server: EmbeddedNats, folder: Path, seed: Path | None) -> Settings:
    """Of the credits service, which needs nothing else."""
    database = f"sqlite:///{folder / 'credits.db'}"
    return Settings(nats_url=server.url, nats_nkey_seed_file=seed, database_url=database)


async def run_to_exit(settings: Settings) -> tuple[int, list[Any]]:
    """The exit code of a service that ends by itself, and what it logged."""
    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(20):
            return await build(settings).run(), logs


async def test_with_its_own_key_it_works(server: EmbeddedNats, tmp_path: Path) -> None:
    service = build(settings(server, tmp_path, server.access("credits").nkey_seed))
    with structlog.testing.capture_logs() as logs:
        await service.start()
        assert await service.ready() is None
        await service.stop()
    assert [entry for entry in logs if entry["event"] == "nats.not_allowed"] == []


@pytest.mark.parametrize("key", ["none", "unknown"])
async def test_unknown_key_ends_the_service(server: EmbeddedNats, tmp_path: Path, key: str) -> None:
    make_credentials(tmp_path / "others")
    seed = seed_file(tmp_path / "others", "credits") if key == "unknown" else None
    code, logs = await run_to_exit(settings(server, tmp_path, seed))
    assert code == 1
    [reason] = [entry["reason"] for entry in logs if entry["event"] == "service.failed"]
    assert reason.startswith("the NATS server does not know this identity")
    assert "TELECINE_NATS_NKEY_SEED_FILE" in reason
    warned = [entry for entry in logs if entry["event"] == "nats.anonymous"]
    assert len(warned) == (key == "none"), "a connection without credentials is always logged"


async def test_what_it_may_not_say_is_logged_counted_and_answered(tmp_path: Path) -> None:
    """If the server's permissions omit grants, credits fails at once, and an alert is raised."""

    def forget(page: str) -> str:
        head, _, accounts = page.partition("accounts: ")
        known = json.loads(accounts)
        known["TELECINE_credits"]["users"][0]["permissions"]["publish"].remove("ledger.*.granted")
        return f"{head}accounts: {json.dumps(known)}\n"

    with guarded_nats(tmp_path / "guarded", forget) as server:
        service = build(settings(server, tmp_path, server.access("credits").nkey_seed))
        with structlog.testing.capture_logs() as logs:
            await service.start()
            async with connect_as(OPERATOR, server) as operator, asyncio.timeout(5):
                wish = GrantCredits(account="ann", amount=5, reference="r", reason="tests")
                answer = await operator.request(
                    GrantCredits.subject, wish.model_dump_json().encode(), timeout=5
                )
            assert "does not let this identity publish" in str(
                LedgerAnswer.model_validate_json(answer.data).error
            )
            counted = service.metrics.registry.get_sample_value
            assert counted("telecine_nats_errors_total", {"kind": "denied_publish"}) == 1
            event = {"event_type": "credits.granted.v1", "outcome": "refused"}
            assert counted("telecine_appends_total", event) == 1
            await service.stop()
    [denial] = [entry for entry in logs if entry["event"] == "nats.not_allowed"]
    assert (denial["log_level"], denial["subject"]) == ("error", "ledger.ann.granted")


async def test_wrong_identity_ends_the_service(server: EmbeddedNats, tmp_path: Path) -> None:
    code, logs = await run_to_exit(settings(server, tmp_path, server.access("storage").nkey_seed))
    assert code == 1
    reasons = [entry["reason"] for entry in logs if entry["event"] == "service.failed"]
    assert reasons[0].startswith("the NATS server does not let this identity subscribe to _inbox.credits.")


@pytest.mark.parametrize(
    ("content", "told"), [(None, "can't be read"), ("", "holds no nkey seed"), ("SUAB", "holds no nkey seed")]
)
def test_a_key_that_is_none_is_named_before_anything_is_tried(
    tmp_path: Path,
    content: str | None,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = tmp_path / "seed"
    if content is not None:
        seed.write_text(content)
    monkeypatch.setenv("TELECINE_NATS_NKEY_SEED_FILE", str(seed))
    assert f"TELECINE_NATS_NKEY_SEED_FILE: Value error, {seed} {told}" in refused(capsys)


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """What the service says when it does not start because of its settings."""
    with pytest.raises(SystemExit) as ended:
        run(Settings, build)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_a_secret_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELECINE_CHECKPOINT_KEY_FILE", str(tmp_path / "nowhere"))
    assert refused(capsys).startswith(f"TELECINE_CHECKPOINT_KEY_FILE: {tmp_path / 'nowhere'} can't be read")


def test_an_example_secret_is_refused_outside_a_sandbox(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELECINE_DATABASE_URL", "postgresql+psycopg://credits:example-password@db/credits")
    said = refused(capsys)
    assert "TELECINE_DATABASE_URL: known from examples or easy to guess" in said
    assert "example-password" not in said


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"CA": "nowhere"}, "the certificates for NATS can't be used"),
        ({"CA": "noise"}, "the certificates for NATS can't be used"),
        ({"KEY": "noise"}, "TELECINE_NATS_TLS_KEY needs TELECINE_NATS_TLS_CERT"),
    ],
)
def test_certificates_that_can_not_be_used_are_named(
    tmp_path: Path,
    files: dict[str, str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "noise").write_text("noise")
    for name, file in files.items():
        monkeypatch.setenv(f"TELECINE_NATS_TLS_{name}", str(tmp_path / file))
    assert told in refused(capsys)
