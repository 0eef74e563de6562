"""Every change of the ledger in every mode: it is found, or the report lists what was not checked."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.integration.auditor.audit.test_tampered_ledgers import (
    CHANGES,
    CHECKPOINTS,
    EARLY,
    LATE,
    LEDGER,
    SIGNER,
)
from tests.support.audit.command import AuditorCommand, AuditResult
from tests.support.audit.nats_ledger import renumber, signed_checkpoint, small_ledger

from telecine_auditor.breaches import BreachKind
from telecine_auditor.cli import run
from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.sources.message import StoredMessage

KEY = ("--key", SIGNER.verifier)
BY_RULES_ALONE = frozenset(
    {
        "the subject",
        "an entry dropped",
        "two entries swapped",
        "an entry put in",
    }
)
"""Changes that the rules find without a checkpoint."""
REPORTS = {"balances": (), "trial-balance": (), "liability": (), "statement": ("ann",)}
NO_CHECKPOINT = "whether the ledger was rewritten or cut short: there is no signed checkpoint of it"
NOT_COMPARED = "signed checkpoints and VIDEO: `telecine-audit verify` compares the ledger with them"
WITHOUT_THE_LOG = ("--key", "--checkpoint", "--since", "--since, an early one")
"""Modes that are also tried without the log's own checkpoints."""
Change = Callable[[list[StoredMessage]], list[StoredMessage]]


def mirror(folder: Path, ledger: Sequence[StoredMessage], checkpoints: Sequence[StoredMessage]) -> Path:
    """A mirror with valid hashes."""
    with open_mirror(folder, most=4) as written:
        written.stream("LEDGER").append(renumber(ledger))
        written.stream("CHECKPOINTS").append(checkpoints)
    return folder


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> AuditorCommand:
    return AuditorCommand(capsys)


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Earlier results of an auditor: a state over all entries, one over the first, and a checkpoint."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "late.checkpoint").write_text(signed_checkpoint(SIGNER, LEDGER, LATE))
    for name, count in (("early", 1), ("late", len(CHECKPOINTS))):
        true = mirror(folder / f"{name}.mirror", LEDGER, CHECKPOINTS[:count])
        state = ("--save", str(folder / f"{name}.state"), "--key", str(SIGNER.verifier))
        assert run(["verify", "--from", str(true), *state, "--json"]) == 0
    return folder


def verify_modes(snapshots: Path) -> dict[str, tuple[object, ...]]:
    """Modes of `verify` that find every change up to the newest checkpoint."""
    return {
        "--key": KEY,
        "--ledger-only": (*KEY, "--ledger-only"),
        "--checkpoint": (*KEY, "--checkpoint", snapshots / "late.checkpoint"),
        "--checkpoint, no key": ("--checkpoint", snapshots / "late.checkpoint"),
        "--since": (*KEY, "--since", snapshots / "late.state"),
        "--since, an early one": (*KEY, "--since", snapshots / "early.state"),
        "--since and --save": (*KEY, "--since", snapshots / "late.state", "--save", snapshots / "next.state"),
    }


def kinds(done: AuditResult) -> set[str]:
    return set(done.document["breach_kinds"])


@pytest.mark.parametrize("change", CHANGES)
async def test_every_mode_of_verify_finds_the_change(
    audit: AuditorCommand, tmp_path: Path, snapshots: Path, change: str
) -> None:
    deed, kind = CHANGES[change]
    changed = mirror(tmp_path / "mirror", deed(LEDGER), CHECKPOINTS)
    purged = mirror(tmp_path / "purged", deed(LEDGER), [])
    for mode, options in verify_modes(snapshots).items():
        done = await audit("verify", "--from", changed, *options, "--json")
        assert (mode, done.code, kind.value in kinds(done)) == (mode, 1, True), done.out
        if mode not in WITHOUT_THE_LOG:
            continue
        done = await audit("verify", "--from", purged, *options, "--json")
        # Without one of its own, an auditor has only the log's checkpoints: that they are gone is what it finds.
        own = any("kept" in str(option) for option in options)
        # An early state knows of less than was cut off; that newer checkpoints are gone is found there, too.
        signed_over = {kind.value, BreachKind.TRUNCATED.value} if own else set[str]()
        signed_over |= {"checkpoint-missing"} if not own or "early" in mode else set()
        expected = own or bool(deed(LEDGER))
        assert (mode, bool(signed_over & kinds(done)), done.code) == (mode, expected, expected), done.out
        if not expected:
            assert (done.document["verdict"], NO_CHECKPOINT in done.document["not_checked"]) == (
                "NO BREACH IN WHAT WAS CHECKED",
                True,
            )
    assert not (snapshots / "next.state").exists()


@pytest.mark.parametrize("change", CHANGES)
async def test_without_a_checkpoint_the_rules_find_it_or_it_is_listed_as_not_checked(
    audit: AuditorCommand, tmp_path: Path, change: str
) -> None:
    changed = mirror(tmp_path / "mirror", CHANGES[change][0](LEDGER), [])
    seen = change in BY_RULES_ALONE
    for options in ((), ("--ledger-only",)):
        done = await audit("verify", "--from", changed, *options, "--json")
        assert (done.code, done.document["verdict"] == "EVERY CREDIT IS ACCOUNTED FOR") == (seen, False)
        assert NO_CHECKPOINT in done.document["not_checked"]
    length = len(CHANGES[change][0](LEDGER))
    points: list[tuple[object, ...]] = [(), ("--at", "2026-11-02T13:00:00Z")]
    points += [("--sequence", length)] if length else []
    for report, arguments in REPORTS.items():
        for point in points if report != "statement" else [(), ("--to", "2026-11-03")]:
            done = await audit(report, *arguments, "--from", changed, *point, "--json")
            if report == "statement" and not length:
                assert done.code == 2
                continue
            assert (report, point, done.code) == (report, point, int(seen)), done.out
            assert NOT_COMPARED in done.document["not_checked"]


async def test_reports_list_what_they_leave_out(audit: AuditorCommand, tmp_path: Path) -> None:
    true = mirror(tmp_path / "mirror", LEDGER, CHECKPOINTS)
    for report in ("balances", "trial-balance", "liability"):
        done = await audit(report, "--from", true, "--sequence", 5)
        said = done.out.splitlines()
        assert (done.code, said[-3:]) == (
            0,
            ["Not checked:", f"  - {NOT_COMPARED}", "  - entries after LEDGER#5"],
        )
        done = await audit(report, "--from", true, "--at", "2026-11-02T11:00:00Z")
        assert "  - entries booked at 2026-11-02T11:00:00.000001Z or later" in done.out.splitlines()


async def test_an_unchanged_ledger_has_no_breach_in_any_mode(
    audit: AuditorCommand, tmp_path: Path, snapshots: Path
) -> None:
    streams = small_ledger(6)
    true = mirror(tmp_path / "mirror", LEDGER, CHECKPOINTS)
    with open_mirror(true, most=4) as written:
        written.stream("VIDEO").append(streams.video)
    left_out = {
        "--ledger-only": "generations against VIDEO: it was left out",
        "--checkpoint, no key": "signatures of 4 checkpoints: name the log's public key with --key",
        "--since": f"the rules for entries up to {LATE}: ",
        "--since, an early one": f"the rules for entries up to {EARLY}: ",
        "--since and --save": f"the rules for entries up to {LATE}: ",
    }
    for mode, options in verify_modes(snapshots).items():
        done = await audit("verify", "--from", true, *options, "--json")
        told = done.document
        assert (mode, done.code, told["breaches"]) == (mode, 0, [])
        strong = told["verdict"] == "EVERY CREDIT IS ACCOUNTED FOR"
        assert (mode, strong, len(told["not_checked"])) == (mode, mode not in left_out, int(not strong))
        assert all(what.startswith(left_out[mode]) for what in told["not_checked"])
    shutil.rmtree(true)


async def test_rolled_back_checkpoints_are_found(
    audit: AuditorCommand, tmp_path: Path, snapshots: Path
) -> None:
    rolled_back = mirror(tmp_path / "mirror", LEDGER, CHECKPOINTS[:1])
    for options in (("--checkpoint", snapshots / "late.checkpoint"), ("--since", snapshots / "late.state")):
        done = await audit("verify", "--from", rolled_back, *KEY, *options, "--json")
        assert (done.code, kinds(done)) == (1, {"checkpoint-missing"})
    for limit, found in (("7", True), ("8", False), ("1h", False)):
        done = await audit("verify", "--from", rolled_back, *KEY, "--max-unsigned", limit, "--json")
        assert (limit, kinds(done)) == (limit, {"unsigned-too-long"} if found else set())
    later = ("--now", "2026-11-03T12:00:01Z")
    assert kinds(await audit("verify", "--from", rolled_back, *KEY, *later, "--json")) == {
        "unsigned-too-long"
    }
    done = await audit("verify", "--from", rolled_back, *KEY, *later, "--json", "--max-unsigned", "2d")
    assert done.code == 0


async def test_a_limit_for_unsigned_entries_needs_a_key(audit: AuditorCommand, tmp_path: Path) -> None:
    done = await audit("verify", "--from", tmp_path, "--max-unsigned", "2h")
    assert (done.code, "--max-unsigned needs --key" in done.err) == (2, True)
