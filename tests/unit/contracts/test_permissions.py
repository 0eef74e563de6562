"""Rights follow from events, streams and consumers; the server's page says them twice, for users and for accounts."""

import json
import re
import stat
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from telecine_chassis.projections.projector import Projection
from telecine_cli.errors import CommandError
from telecine_cli.provisioning.credentials import (
    STREAMS_ACCOUNT,
    USERS_FILE,
    make_credentials,
    public_key,
    remove_subscriber,
    seed_file,
)
from telecine_contracts.access import ApiKeyRevoked
from telecine_contracts.catalog import EVENTS
from telecine_contracts.permissions import (
    AUDITOR,
    ERASER,
    IDENTITIES,
    OPERATOR,
    PROVISIONER,
    SERVICES,
    rights,
    subscriber,
)
from telecine_contracts.price_catalog import PricesPublished
from telecine_contracts.streams import CONSUMERS, STREAMS
from telecine_contracts.subjects import PREFIX, of_type


def test_an_event_is_published_by_the_one_that_writes_it() -> None:
    for event in EVENTS:
        who = [identity for identity in IDENTITIES if of_type(event) in rights(identity).publish]
        # The first price table comes with the streams.
        also = {PROVISIONER} if event is PricesPublished else set[str]()
        # An erased account's keys are revoked.
        also |= {ERASER} if event is ApiKeyRevoked else set()
        assert {*who} == {*also, event.written_by}


def test_a_consumer_is_emptied_by_its_service_alone() -> None:
    for consumer in CONSUMERS:
        path = f"{consumer.stream}.{consumer.name}"
        for subject in (f"$JS.API.CONSUMER.MSG.NEXT.{path}", f"$JS.ACK.{path}.>"):
            assert [name for name in IDENTITIES if subject in rights(name).publish] == [consumer.service]


def test_a_service_may_follow_what_its_tables_are_made_of() -> None:
    for service in SERVICES:
        projections: list[Projection] = import_module(
            f"telecine_{service}.read_model.projections"
        ).PROJECTIONS
        for stream in {projection.stream.name for projection in projections}:
            assert f"$JS.API.DIRECT.GET.{stream}" in rights(service).asks
            assert f"stored.{stream.lower()}.>" in rights(service).hears


@pytest.mark.parametrize("identity", [*SERVICES, OPERATOR, AUDITOR])
def test_only_the_provisioner_changes_streams_or_consumers(identity: str) -> None:
    changing = re.compile(r"\.(CREATE|UPDATE|DELETE|PURGE|RESTORE|RESET|STEPDOWN|REMOVE)\b")
    allowed = {"$JS.API.STREAM.MSG.DELETE.DEADLETTERS"} if identity == OPERATOR else set()
    assert {subject for subject in rights(identity).publish if changing.search(subject)} == allowed


def test_the_provisioner_reads_and_writes_no_message_but_price_tables() -> None:
    other = [subject for subject in rights(PROVISIONER).publish if not subject.startswith("$JS.API.")]
    assert other == ["catalog.*.published"]
    reads = [subject for subject in rights(PROVISIONER).publish if "MSG" in subject or "GET" in subject]
    assert reads == ["$JS.API.STREAM.MSG.GET.CATALOG", "$JS.API.DIRECT.GET.CATALOG"]
    assert rights(PROVISIONER).subscribe == ("_INBOX.provisioner.>",)


def test_the_operator_deletes_dead_letters_and_the_eraser_what_accounts_requested() -> None:
    deletes = "$JS.API.STREAM.MSG.DELETE"
    may = {
        OPERATOR: {f"{deletes}.DEADLETTERS"},
        ERASER: {f"{deletes}.{stream}" for stream in ("VIDEO", "TIMERS", "DEADLETTERS")},
    }
    for identity in IDENTITIES:
        destroying = re.compile(r"STREAM\.(DELETE|PURGE|RESTORE)|MSG\.DELETE")
        allowed = may.get(identity, set())
        assert {subject for subject in rights(identity).publish if destroying.search(subject)} == allowed


def test_no_right_is_wider_than_a_part_of_a_stream() -> None:
    for identity in IDENTITIES:
        for subject in (*rights(identity).publish, *rights(identity).subscribe):
            assert subject.split(".")[0] not in ("*", ">")
            assert subject not in ("$JS.API.>", "$JS.>", "_INBOX.>", "timers.>", "commands.>", "stored.>")
        assert len(set(rights(identity).publish)) == len(rights(identity).publish)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_announcements_show_only_what_an_identity_may_read_anyway(identity: str) -> None:
    """They contain whole messages."""
    asks = rights(identity).asks
    readable = {
        f"stored.{PREFIX[stream.name]}.>"
        for stream in STREAMS
        if stream.announced and f"$JS.API.DIRECT.GET.{stream.name}" in asks
    }
    assert set(rights(identity).hears) <= readable


@pytest.mark.parametrize("identity", IDENTITIES)
def test_no_identity_may_publish_announcements(identity: str) -> None:
    """Readers take them for what is stored."""
    assert [subject for subject in rights(identity).publish if subject.startswith("stored.")] == []


def test_another_teams_program_takes_from_its_own_consumer_and_nothing_else() -> None:
    own = subscriber("notifier")
    assert {subject for subject in own.publish if "notifier" not in subject} <= {"$JS.API.INFO"}
    assert own.subscribe == ("_INBOX.notifier.>",)


@pytest.mark.parametrize("name", ["credits", "operator", "credits-debit", "a.b", "*", ""])
def test_another_teams_program_can_not_be_called_like_a_part(name: str) -> None:
    with pytest.raises(ValueError, match=r"choose another|is not a name"):
        subscriber(name)


def test_an_unknown_identity_has_no_rights() -> None:
    with pytest.raises(LookupError, match="mallory"):
        rights("mallory")


# Files


def accounts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / USERS_FILE).read_text().partition("accounts: ")[2])
    return found


def seeds(folder: Path) -> dict[str, str]:
    return {file.stem: file.read_text() for file in folder.glob("*.nk")}


def test_every_identity_gets_one_key(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "credentials"
    made = make_credentials(folder)
    assert made.identities == dict.fromkeys(IDENTITIES, "made")
    first = seeds(folder)
    assert set(first) == set(IDENTITIES)
    assert all(seed.startswith("SU") for seed in first.values())
    page = made.page.read_text()
    assert make_credentials(folder).identities == dict.fromkeys(IDENTITIES, "kept")
    assert (seeds(folder), made.page.read_text()) == (first, page)


def test_only_the_owner_reads_a_key_and_the_page_holds_none(tmp_path: Path) -> None:
    make_credentials(tmp_path / "credentials")
    folder = tmp_path / "credentials"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.glob("*.nk"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = (folder / USERS_FILE).read_text()
    assert not any(seed.strip() in page for seed in seeds(folder).values())
    assert all(public_key(seed_file(folder, name)) in page for name in IDENTITIES)


def test_a_key_is_replaced_alone(tmp_path: Path) -> None:
    make_credentials(tmp_path)
    before, page = seeds(tmp_path), (tmp_path / USERS_FILE).read_text()
    made = make_credentials(tmp_path, rotate=["gateway"])
    after = seeds(tmp_path)
    assert made.identities == dict.fromkeys(IDENTITIES, "kept") | {"gateway": "replaced"}
    assert {name for name in before if before[name] != after[name]} == {"gateway"}
    assert (tmp_path / USERS_FILE).read_text() != page


def test_another_teams_program_is_known_from_then_on(tmp_path: Path) -> None:
    make_credentials(tmp_path, subscribers=["notifier"])
    assert make_credentials(tmp_path).identities["notifier"] == "kept"
    assert subscriber_accounts(tmp_path)["notifier"] == f"{STREAMS_ACCOUNT}_subscriber_1"


def subscriber_accounts(folder: Path) -> dict[str, str]:
    """The account of each subscriber, by the inbox that it may listen to."""
    users = {name: account.get("users", []) for name, account in accounts(folder).items()}
    return {
        user["permissions"]["subscribe"][0].split(".")[1]: name
        for name, each in users.items()
        for user in each
        if name.startswith(f"{STREAMS_ACCOUNT}_subscriber_")
    }


def test_a_subscriber_gets_an_account_that_the_server_knows_already_and_keeps_it(tmp_path: Path) -> None:
    make_credentials(tmp_path)
    known = set(accounts(tmp_path))
    make_credentials(tmp_path, subscribers=["b", "c"])
    first = subscriber_accounts(tmp_path)
    assert set(first.values()) <= known
    make_credentials(tmp_path, subscribers=["a"], rotate=["b"])
    assert remove_subscriber(tmp_path, "b")
    known = set(accounts(tmp_path))
    make_credentials(tmp_path, subscribers=["d"])
    assert subscriber_accounts(tmp_path) == {
        "a": f"{STREAMS_ACCOUNT}_subscriber_3",
        "c": first["c"],
        "d": first["b"],
    }
    assert set(accounts(tmp_path)) == known


def test_only_a_subscriber_is_forgotten(tmp_path: Path) -> None:
    make_credentials(tmp_path)
    assert not remove_subscriber(tmp_path, "gateway")
    assert not remove_subscriber(tmp_path, "unknown")
    assert seed_file(tmp_path, "gateway").exists()


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"rotate": ["mallory"]}, "unknown identity mallory"),
        ({"subscribers": ["credits-debit"]}, "choose another"),
        ({"subscribers": ["a b"]}, "is not a name"),
    ],
)
def test_invalid_names_are_refused_before_any_file_is_written(
    tmp_path: Path, wish: dict[str, list[str]], told: str
) -> None:
    with pytest.raises(CommandError, match=told):
        make_credentials(tmp_path / "new", **wish)
    assert not (tmp_path / "new").exists()


def test_a_file_without_a_key_is_named(tmp_path: Path) -> None:
    seed_file(tmp_path, "gateway").write_text("nothing of the kind")
    with pytest.raises(CommandError, match=r"gateway\.nk contains no nkey seed"):
        make_credentials(tmp_path)


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot store credentials in"):
        make_credentials(tmp_path / "file" / "credentials")


def test_imports_match_permissions_and_exports(tmp_path: Path) -> None:
    make_credentials(tmp_path)
    page = accounts(tmp_path)
    for identity in IDENTITIES:
        name = f"{STREAMS_ACCOUNT}_{identity}"
        [user] = page[name]["users"]
        imported = {one["service"]["subject"] for one in page[name]["imports"] if "service" in one}
        assert imported == set(user["permissions"]["publish"]) == set(rights(identity).publish)
        for kind, source in sources(page[name]["imports"]):
            matching = [
                one for one in page[source["account"]]["exports"] if one.get(kind) == source["subject"]
            ]
            assert [name in one["accounts"] for one in matching] == [True], source


def sources(imports: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, str]]]:
    for one in imports:
        [(kind, source)] = one.items()
        yield kind, source


def test_the_streams_account_has_no_users(tmp_path: Path) -> None:
    make_credentials(tmp_path)
    page = accounts(tmp_path)
    assert [name for name, account in page.items() if "jetstream" in account] == [STREAMS_ACCOUNT]
    assert "users" not in page[STREAMS_ACCOUNT]
