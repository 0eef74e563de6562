"""`telecine-audit verify` from a mirror: report, JSON, unchecked parts, and saved states."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand
from tests.support.audit.large_ledger import large_ledger
from tests.support.audit.nats_ledger import LOG, renumber, signed_checkpoint, small_ledger, stored_checkpoint
from tests.support.audit.streams import StreamBuilder, november_streams

from telecine_auditor.mirror.writer import open_mirror
from telecine_auditor.sources.message import StoredMessage
from telecine_credits.checkpoints.key import Signer

SIGNER = Signer.new(LOG)
KEY = str(SIGNER.verifier)
LARGE = list(large_ledger(3000, accounts=7))
IN_TIME = ("--now", "2026-11-16T12:00:00Z")
"""A time at which nothing of `november` is overdue."""


def mirror(
    folder: Path,
    ledger: Sequence[StoredMessage],
    checkpoints: Sequence[int] = (),
    video: Sequence[StoredMessage] | None = None,
) -> Path:
    """A mirror with checkpoints of these sizes."""
    notes = [stored_checkpoint(signed_checkpoint(SIGNER, ledger, size), number=size) for size in checkpoints]
    with open_mirror(folder) as written:
        written.stream("LEDGER").append(renumber(ledger))
        written.stream("CHECKPOINTS").append(renumber(notes))
        if video is not None:
            written.stream("VIDEO").append(renumber(video))
    return folder


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> AuditorCommand:
    return AuditorCommand(capsys)


async def test_every_kind_of_entry_is_verified_and_reported_on_one_screen(
    audit: AuditorCommand, tmp_path: Path
) -> None:
    streams = november_streams()
    folder = mirror(tmp_path / "mirror", streams.ledger, checkpoints=[10, 16], video=streams.video)

    done = await audit("verify", "--from", folder, "--key", KEY, "--ledger-only", *IN_TIME)

    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "NO BREACH IN WHAT WAS CHECKED"
    assert lines[2:5] == [
        "  entries      17, to LEDGER#17, decided 2026-11-01 12:00:00 UTC to 2026-12-01 10:00:00 UTC",
        "  accounts     3",
        "  generations  4 charged: 2 settled, 1 refunded, 1 running; 1 denied",
    ]
    by = f"2 confirmed, the largest over 16 entries (CHECKPOINTS#2); signed by {LOG}; 1 entries since"
    assert f"  checkpoints  {by}" in lines
    assert [line.split()[-2:] for line in lines[9:14]] == [
        ["issued", "667"],
        ["available", "507"],
        ["held", "50"],
        ["spent", "100"],
        ["expired", "10"],
    ]
    assert lines[-2:] == ["Not checked:", "  - generations against VIDEO: it was left out"]


async def test_the_json_document_has_the_same_figures(audit: AuditorCommand, tmp_path: Path) -> None:
    folder = mirror(tmp_path / "mirror", LARGE, checkpoints=[1000, 3000])

    done = await audit("verify", "--from", folder, "--key", KEY, "--json")

    told = done.document
    assert (done.code, told["holds"], told["breaches"]) == (0, True, [])
    assert told["ledger"]["entries"] == told["ledger"]["size"] == told["ledger"]["last_sequence"] == 3000
    assert told["ledger"]["root"] == signed_checkpoint(SIGNER, LARGE).splitlines()[2]
    assert told["checkpoints"] == {
        "found": 2,
        "verified": 2,
        "unsigned": 0,
        "largest": {"size": 3000, "place": "CHECKPOINTS#2"},
        "entries_since": 0,
        "saved_at": None,
    }
    credits = told["credits"]
    assert credits["issued"] == sum(credits[side] for side in ("available", "held", "spent", "expired"))
    generations = told["generations"]
    assert generations["charged"] == sum(generations[end] for end in ("settled", "refunded", "held"))


async def test_the_report_lists_what_is_not_checked(audit: AuditorCommand, tmp_path: Path) -> None:
    with_checkpoints = mirror(tmp_path / "signed", LARGE, checkpoints=[1000, 3000])
    without = mirror(tmp_path / "unsigned", LARGE)

    first = (await audit("verify", "--from", with_checkpoints, "--json")).document
    second = (await audit("verify", "--from", without, "--json")).document

    assert (first["checkpoints"]["verified"], first["checkpoints"]["unsigned"]) == (0, 2)
    assert first["not_checked"] == [
        "generations against VIDEO: the mirror does not have it",
        "signatures of 2 checkpoints: name the log's public key with --key",
    ]
    assert second["not_checked"][1].startswith("whether the ledger was rewritten or cut short: there is no")


async def test_all_breaches_are_counted_and_few_are_listed(audit: AuditorCommand, tmp_path: Path) -> None:
    swollen = [
        entry._replace(body=entry.body.replace(b'"amount":40,"price"', b'"amount":41,"price"'))
        for entry in LARGE
    ]
    folder = mirror(tmp_path / "mirror", swollen)

    told = await audit("verify", "--from", folder, "--json", "--max-breaches", 2)
    screen = await audit("verify", "--from", folder, "--max-breaches", 2)

    document = told.document
    assert (told.code, screen.code) == (1, 1)
    assert len(document["breaches"]) == 2 < document["breach_count"]
    assert document["breach_count"] == sum(document["breach_kinds"].values())
    assert screen.out.startswith(f"{document['breach_count']:,} BREACHES\n")
    assert f"  and {document['breach_count'] - 2:,} more\n\nWhat they are:\n" in screen.out
    assert set(document["meanings"]) == set(document["breach_kinds"])


async def test_a_copy_is_judged_as_of_its_last_entry(audit: AuditorCommand, tmp_path: Path) -> None:
    """A generation that runs at the end of an old mirror is not overdue."""
    folder = mirror(tmp_path / "mirror", LARGE)

    as_copied = await audit("verify", "--from", folder, "--json")
    years_later = await audit("verify", "--from", folder, "--json", "--now", "2030-01-01T00:00:00Z")

    assert as_copied.code == 0
    assert years_later.code == 1
    assert set(years_later.document["breach_kinds"]) == {"debit-without-end"}
    assert (
        years_later.document["breach_kinds"]["debit-without-end"] == as_copied.document["generations"]["held"]
    )


async def test_video_in_the_mirror_is_compared(audit: AuditorCommand, tmp_path: Path) -> None:
    streams = small_ledger(6)
    folder = mirror(tmp_path / "mirror", streams.ledger, video=streams.video)
    lost = mirror(tmp_path / "lost", streams.ledger, video=streams.video[:-1])

    told = (await audit("verify", "--from", folder, "--json")).document
    assert (told["holds"], told["video"]["completed"]) == (True, 6)
    (breach,) = (await audit("verify", "--from", lost, "--json")).document["breaches"]
    assert (breach["kind"], breach["generation"]) == ("settled-not-completed", "g5")


async def test_an_audit_resumes_from_a_saved_state(audit: AuditorCommand, tmp_path: Path) -> None:
    state = tmp_path / "audited.state"
    early = mirror(tmp_path / "early", LARGE[:2000], checkpoints=[500, 1700])
    whole = mirror(tmp_path / "whole", LARGE, checkpoints=[500, 1700, 2900])
    all_at_once = (await audit("verify", "--from", whole, "--key", KEY, "--json")).document

    saved = (await audit("verify", "--from", early, "--key", KEY, "--json", "--save", state)).document
    later = await audit("verify", "--from", whole, "--key", KEY, "--json", "--since", state, "--save", state)
    again = await audit("verify", "--from", whole, "--key", KEY, "--json", "--since", state)

    assert saved["checkpoints"]["saved_at"] == 1700
    for done, start, size in ((later, 1701, 2900), (again, 2901, None)):
        told = done.document
        assert (done.code, told["ledger"]["replayed_from"]) == (0, start)
        assert told["checkpoints"]["saved_at"] == size
        assert told["not_checked"][1].startswith(
            f"the rules for entries up to {start - 1:,}: the saved audit has applied them"
        )
        for part in ("credits", "generations"):
            assert told[part] == all_at_once[part]
        for name in ("entries", "accounts", "root", "first_decided_at", "last_decided_at"):
            assert told["ledger"][name] == all_at_once["ledger"][name]


async def test_a_saved_state_keeps_every_kind_of_entry(audit: AuditorCommand, tmp_path: Path) -> None:
    state = tmp_path / "audited.state"
    ledger = november_streams().ledger
    options = ("--json", *IN_TIME, "--key", KEY, "--max-unsigned", "30d")
    whole = await audit("verify", "--from", mirror(tmp_path / "whole", ledger), "--json", *IN_TIME)
    credits = whole.document["credits"]
    for size in (3, 7, 10, 12, 16):
        folder = mirror(tmp_path / f"mirror-{size}", ledger, checkpoints=[size])

        await audit("verify", "--from", folder, *options, "--save", state)
        done = await audit("verify", "--from", folder, *options, "--since", state)

        assert (done.code, done.document["ledger"]["replayed_from"]) == (0, size + 1)
        assert done.document["credits"] == credits


async def test_no_state_is_saved_after_a_breach(audit: AuditorCommand, tmp_path: Path) -> None:
    state = tmp_path / "audited.state"
    swollen = [
        entry._replace(body=entry.body.replace(b'"amount":40,"price"', b'"amount":41,"price"'))
        for entry in LARGE
    ]
    folder = mirror(tmp_path / "mirror", swollen, checkpoints=[2000])

    told = (await audit("verify", "--from", folder, "--key", KEY, "--json", "--save", state)).document

    assert not state.exists()
    assert told["notices"][-1].startswith("nothing was saved")


async def saved_state(audit: AuditorCommand, folder: Path) -> Path:
    """A saved state, and a mirror."""
    state = folder / "audited.state"
    copy = mirror(folder / "mirror", LARGE, checkpoints=[2000])
    await audit("verify", "--from", copy, "--key", KEY, "--save", state)
    return state


async def snapshot_error(audit: AuditorCommand, folder: Path, key: str = KEY) -> str:
    """The error with which the state is refused."""
    done = await audit(
        "verify", "--from", folder / "mirror", "--key", key, "--since", folder / "audited.state"
    )
    assert (done.code, done.out) == (2, "")
    return done.err


async def test_a_damaged_state_is_refused(audit: AuditorCommand, tmp_path: Path) -> None:
    state = await saved_state(audit, tmp_path)
    state.write_bytes(state.read_bytes().replace(b'"plain":[', b'"plain":[1', 1))

    assert "is damaged: its SHA-256 differs" in await snapshot_error(audit, tmp_path)


async def test_a_state_under_another_key_is_refused(audit: AuditorCommand, tmp_path: Path) -> None:
    await saved_state(audit, tmp_path)

    assert "is not trusted: not signed by a trusted key" in await snapshot_error(
        audit, tmp_path, str(Signer.new(LOG).verifier)
    )


async def test_a_state_of_another_ledger_is_refused(audit: AuditorCommand, tmp_path: Path) -> None:
    """Its hash is valid, but its tree is not the signed one."""
    from hashlib import sha256

    state = await saved_state(audit, tmp_path)
    head, *rest, _ = state.read_bytes().splitlines(keepends=True)
    changed = json.loads(head)
    changed["peaks"] = changed["peaks"][::-1]
    data = b"".join([json.dumps(changed).encode() + b"\n", *rest])
    state.write_bytes(data + json.dumps({"sha256": sha256(data).hexdigest()}).encode() + b"\n")

    assert "does not match its checkpoint" in await snapshot_error(audit, tmp_path)


async def test_a_state_of_other_entries_is_not_used(audit: AuditorCommand, tmp_path: Path) -> None:
    """The stream was rewritten after the state was saved: the next checkpoint has another tree."""
    state = await saved_state(audit, tmp_path)
    other = list(large_ledger(3000, accounts=7, seed=2))
    folder = mirror(tmp_path / "other", other, checkpoints=[2500])

    told = (await audit("verify", "--from", folder, "--key", KEY, "--since", state, "--json")).document

    assert "checkpoint-mismatch" in told["breach_kinds"]


async def test_another_checkpoint_over_the_same_entries_is_found(
    audit: AuditorCommand, tmp_path: Path
) -> None:
    state = await saved_state(audit, tmp_path)
    other = list(large_ledger(3000, accounts=7, seed=2))
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(signed_checkpoint(SIGNER, other, 2000))

    done = await audit(
        "verify",
        "--from",
        tmp_path / "mirror",
        "--key",
        KEY,
        "--since",
        state,
        "--checkpoint",
        kept,
        "--json",
    )

    assert set(done.document["breach_kinds"]) == {"checkpoint-mismatch"}


async def test_a_failure_is_reported_in_one_sentence(audit: AuditorCommand, tmp_path: Path) -> None:
    folder = mirror(tmp_path / "mirror", LARGE[:10])
    strange = tmp_path / "strange"
    strange.write_text("{}\n")
    cases = {
        ("--save", tmp_path / "x"): "--save needs --key",
        ("--since", tmp_path / "x"): "--since needs --key",
        ("--key", KEY, "--since", tmp_path / "x"): "No such file or directory",
        ("--key", KEY, "--since", strange): "is damaged",
        ("--checkpoint", tmp_path / "x"): "cannot read checkpoints",
    }
    for options, says in cases.items():
        done = await audit("verify", "--from", folder, *options)
        assert done.code == 2
        assert says in done.err


@pytest.mark.parametrize(
    "options", [("--hold-limit", "1"), ("--in-flight", "soon"), ("--now", "today"), ("--hold-limit", "-5m")]
)
async def test_mistakes_in_options_are_one_sentence(audit: AuditorCommand, options: tuple[str, str]) -> None:
    done = await audit("verify", *options)

    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "expected e.g. " in done.err


async def test_an_empty_ledger_has_no_breach(audit: AuditorCommand, tmp_path: Path) -> None:
    folder = mirror(tmp_path / "mirror", [])

    done = await audit("verify", "--from", folder)

    assert done.code == 0
    assert done.out.startswith("NO BREACH IN WHAT WAS CHECKED\n\n  entries      0\n")


async def test_terminal_escapes_are_sanitized(audit: AuditorCommand, tmp_path: Path) -> None:
    streams = StreamBuilder(ledger=small_ledger(2).ledger)
    streams.change(2, lambda body: body.update(generation="\x1b[2J" + "g" * 5000, amount=51))
    folder = mirror(tmp_path / "mirror", streams.ledger)

    done = await audit("verify", "--from", folder)

    assert done.code == 1
    assert all(line.isprintable() and len(line) <= 320 for line in done.out.splitlines())


async def test_unsigned_entries_in_another_form_are_reported(audit: AuditorCommand, tmp_path: Path) -> None:
    streams = StreamBuilder(ledger=small_ledger(2).ledger)
    for sequence in (1, 5):
        streams.change(sequence, lambda body: body.update(note="x", entry=body.pop("entry")))
    folder = mirror(tmp_path / "mirror", streams.ledger, checkpoints=[4])

    done = await audit("verify", "--from", folder, "--key", KEY)

    assert done.code == 0
    kind = "credits.settled.v1"
    says = f"LEDGER#5, which no signed checkpoint covers, has fields that {kind} does not name: 'note'"
    assert done.out.split("Notices:\n")[1] == f"  - {says}\n"
