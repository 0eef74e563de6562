"""The operator's commands against a small real stack: nats-server and the credits service."""

import asyncio
import csv
import io
import json
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from nats.aio.client import Client
from tests.support.event_loops import run_in_new_loop
from tests.support.eventually import eventually_async
from tests.support.processes.command_line import CommandResult, run_command, telecine_process
from tests.support.security.nats_identities import connect_as
from tests.support.servers.instances import shared_nats_server

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_cli.event_reader import live_events
from telecine_cli.output.provision import provision_stack
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.config import StackOptions
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.specs import process_specs
from telecine_cli.stack.supervisor import Stack
from telecine_cli.target import OPERATOR, Target, connected, stack_target
from telecine_contracts import registry, subjects
from telecine_contracts.examples import envelope, example
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.streams import VIDEO

T = TypeVar("T")


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, loop: asyncio.AbstractEventLoop) -> Iterator[Stack]:
    children = [child for child in process_specs(StackOptions()) if child.name in {"nats", "credits"}]
    stack = Stack(
        tmp_path_factory.mktemp("a stack") / "my data", provision=provision_stack, children=children
    )
    loop.run_until_complete(stack.up())
    yield stack
    loop.run_until_complete(stack.down())


class Commands:
    """Calls commands on one stack."""

    def __init__(
        self, stack: Stack, capsys: pytest.CaptureFixture[str], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._stack = stack
        self._capsys = capsys
        self._loop = loop

    def __call__(self, *arguments: str) -> CommandResult:
        return run_command(self._capsys, *arguments, "--data", self._stack.config.data)

    def well(self, *arguments: str) -> str:
        """What a command that must succeed prints on standard output."""
        outcome = self(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome.out

    def json(self, *arguments: str) -> Any:
        return json.loads(self.well(*arguments, "--json"))

    def on_nats(self, work: "Coroutine[Any, Any, T]") -> T:
        return self._loop.run_until_complete(work)


@pytest.fixture
def telecine(stack: Stack, capsys: pytest.CaptureFixture[str], loop: asyncio.AbstractEventLoop) -> Commands:
    return Commands(stack, capsys, loop)


def test_a_reference_grants_once_and_is_shown(telecine: Commands) -> None:
    grant = ("credits", "grant", "alice", "500", "--reference", "invoice-1", "--reason", "November")
    assert (
        telecine.well(*grant) == "granted 500 credits to alice (entry 1); alice has 500 credits available\n"
    )
    assert "already used for entry 1 of alice" in telecine.well(*grant)
    telecine.well(
        "credits",
        "grant",
        "alice",
        "20",
        "--reference",
        "gift",
        "--kind",
        "promotional",
        "--expires",
        "2031-01-01",
    )
    shown = telecine.well("credits", "ledger", "alice")
    assert telecine.well("credits", "show", "alice") == shown
    assert "invoice-1" in shown
    assert "alice has 520 credits available" in shown
    document = telecine.json("credits", "show", "alice")
    assert [entry["reference"] for entry in document["ledger"]] == ["invoice-1", "gift"]
    assert document["balance"] == {"available": 520, "held": 0}


def test_a_reference_with_another_amount_is_refused(telecine: Commands) -> None:
    telecine.well("credits", "grant", "bob", "10", "--reference", "r")
    refused = telecine("credits", "grant", "bob", "11", "--reference", "r")
    assert (refused.code, "was used before, for entry 1: a grant of 10 paid credits" in refused.err) == (
        1,
        True,
    )


def test_corrections_limits_and_closing_are_confirmed_and_shown(telecine: Commands) -> None:
    telecine.well("credits", "grant", "lena", "100", "--reference", "r", "--kind", "plan")
    adjust = ("credits", "adjust", "lena", "1", "30", "--reference", "t", "--reason", "returned")
    assert telecine.well(*adjust) == (
        "adjusted entry 1 of lena by 30 credits (entry 2); lena has 70 credits available\n"
    )
    assert telecine.well(*adjust).startswith("no change: the reference was already used for entry 2")
    too_much = telecine("credits", "adjust", "lena", "1", "71", "--reference", "u")
    assert (too_much.code, "only 70 of the 100 credits" in too_much.err) == (1, True)
    assert telecine.well("credits", "limits", "lena", "--per-day", "60").startswith("set the limits of lena")
    assert telecine.well("credits", "limits", "lena", "--per-day", "60").startswith("no change")
    assert telecine.well("credits", "close", "lena", "--reason", "moved").startswith("closed lena")
    assert "already closed" in telecine.well("credits", "close", "lena")
    refused = telecine("credits", "grant", "lena", "1", "--reference", "v")
    assert (refused.code, "lena is closed" in refused.err) == (1, True)
    balance = telecine.well("credits", "balance", "lena")
    assert "lena has 70 credits available, and is closed" in balance
    assert "the account may spend 60 credits per day" in balance
    document = telecine.json("credits", "balance", "lena")
    assert document["limits"] == [{"api_key": None, "per_day": 60, "per_generation": None}]
    [grant] = document["grants"]
    assert (grant["entry"], grant["available"], grant["kind"], document["closed"]) == (1, 70, "plan", True)
    assert telecine.well("credits", "reopen", "lena").startswith("reopened lena")
    assert "lena is open" in telecine.well("credits", "reopen", "lena")
    assert telecine.well("credits", "limits", "lena", "--lift").startswith("set the limits of lena")
    ledger = telecine.well("credits", "ledger", "lena")
    for words in (
        "entry 1, t",
        "set limits of the account: 60 credits per day",
        "moved",
        "removed limits of the account",
    ):
        assert words in ledger


def test_a_statement_as_a_table_and_as_csv(telecine: Commands) -> None:
    telecine.well("credits", "grant", "mona", "100", "--reference", "=1+1", "--reason", "\x1b[2Jgone")
    table = telecine.well("credits", "statement", "mona")
    assert "opening balance" in table
    assert "credits granted (paid)" in table
    assert "\x1b" not in table
    opening, granted, closing = csv.DictReader(
        io.StringIO(telecine.well("credits", "statement", "mona", "--csv"), newline="")
    )
    assert (opening["available"], closing["available"]) == ("0", "100")
    assert (granted["available_change"], granted["reference"]) == ("100", "'=1+1")
    tomorrow = ("--from", "2101-01-01", "--csv")
    rows = telecine.well("credits", "statement", "mona", *tomorrow).splitlines()
    assert len(rows) == 3
    assert all(row.endswith(",100,0,,,,") for row in rows[1:])


def test_a_grant_with_a_past_expiry_is_refused(telecine: Commands) -> None:
    late = telecine("credits", "grant", "nina", "5", "--reference", "r", "--expires", "2020-01-31")
    assert (late.code, late.err) == (
        1,
        "telecine: --expires is in the past (2020-01-31 00:00 UTC): give a later time, "
        "or none for credits that never expire\n",
    )
    assert telecine("credits", "ledger", "nina").code == 1


def test_a_key_has_the_scopes_of_its_creation(telecine: Commands) -> None:
    telecine.well("keys", "create", "oscar")
    told = telecine("keys", "create", "oscar", "--scope", "generate", "--scope", "admin", "--scope", "admin")
    assert "scope admin and generate" in told.err
    assert [key["scopes"] for key in telecine.json("keys", "list", "oscar")] == [
        ["generate"],
        ["admin", "generate"],
    ]
    assert "admin generate" in telecine.well("keys", "list", "oscar")


def test_rate_limits_are_set_one_by_one_and_shown(telecine: Commands) -> None:
    assert "default" in telecine.well("limits", "show", "rita")
    telecine.well("limits", "set", "rita", "--generations", "30/60")
    changed = telecine.json("limits", "set", "rita", "--requests", "0")

    assert changed["generations"] == {"limit": 30, "seconds": 60}
    assert changed["requests"]["limit"] == 0
    assert telecine.json("limits", "show", "rita") == changed
    assert telecine.json("limits", "set", "rita", "--generations", "default")["generations"] is None
    assert "every 120 seconds" in telecine("limits", "set", "rita", "--requests", "1/3600").err


def test_an_account_without_entries_is_named(telecine: Commands) -> None:
    unknown = telecine("credits", "show", "unknown")
    assert unknown.code == 1
    assert "account unknown has no entries" in unknown.err


def test_the_command_says_when_the_credits_service_is_down(telecine: Commands, stack: Stack) -> None:
    telecine.on_nats(stack.stop("credits"))
    try:
        down = telecine("credits", "grant", "alice", "1", "--reference", "while down")
    finally:
        telecine.on_nats(stack.start("credits"))
    assert down.code == 1
    assert "credits service does not answer" in down.err


def test_a_key_is_shown_once_listed_and_revoked(telecine: Commands) -> None:
    made = telecine("keys", "create", "carol", "--name", "laptop\x1b[2J")
    key = made.out.strip()
    assert key.startswith("tk_")
    assert key not in made.err
    [listed] = telecine.json("keys", "list", "carol")
    assert (listed["account"], listed["revoked_at"]) == ("carol", None)
    table = telecine.well("keys", "list")
    assert listed["key_id"] in table
    assert "\x1b" not in table
    assert key not in table
    assert "revoked key_" in telecine.well("keys", "revoke", listed["key_id"])
    assert "was already revoked" in telecine.well("keys", "revoke", listed["key_id"])
    [revoked] = telecine.json("keys", "list", "carol")
    assert revoked["revoked_at"] is not None


def test_a_key_expires_and_is_rotated_with_an_overlap(telecine: Commands) -> None:
    made = telecine("keys", "create", "peggy", "--name", "ci", "--scope", "keys", "--expires", "2090-01-31")
    assert "until 2090-01-31" in made.err
    [old] = telecine.json("keys", "list", "peggy")
    assert (old["expires_at"], old["last_used_at"]) == ("2090-01-31T00:00:00.000Z", None)
    missing = telecine("keys", "rotate", old["key_id"])
    assert (missing.code, "needs a time to expire" in missing.err) == (1, True)

    new = telecine.json("keys", "rotate", old["key_id"], "--overlap", "2", "--expires", "2091-01-31")
    replaced, listed = telecine.json("keys", "list", "peggy")
    assert (new["replaces"], new["replaced_until"]) == (old["key_id"], replaced["expires_at"])
    assert replaced["expires_at"] < "2090"
    assert (listed["key_id"], listed["name"], listed["scopes"]) == (new["key_id"], "ci", ["keys"])
    assert listed["expires_at"] == "2091-01-31T00:00:00.000Z"
    shown = telecine("keys", "rotate", new["key_id"], "--expires", "2092-01-31")
    assert f"It replaces {new['key_id']}, which works until" in shown.err
    assert shown.out.startswith("tk_")

    late = telecine("keys", "create", "peggy", "--expires", "2020-01-31")
    assert (late.code, "over" in late.err) == (1, True)


def test_changes_are_reported_as_json(telecine: Commands) -> None:
    grant = ("credits", "grant", "judy", "5", "--reference", "first")
    granted, again = telecine.json(*grant), telecine.json(*grant)
    assert (granted["changed"], again["changed"]) == (True, False)
    assert (granted["account"], granted["entry"], again["entry"]) == ("judy", 1, 1)
    assert granted["balances"] == {"available": 5, "held": 0}
    closed = telecine.json("credits", "close", "judy")
    assert (closed["changed"], closed["entry"]) == (True, 2)

    made = telecine.json("keys", "create", "judy", "--name", "café")
    assert made["key"].startswith("tk_")
    [listed] = telecine.json("keys", "list", "judy")
    assert {name: made[name] for name in ("key_id", "account", "name", "scopes")} == {
        name: listed[name] for name in ("key_id", "account", "name", "scopes")
    }
    revoked = [telecine.json("keys", "revoke", made["key_id"]) for _ in range(2)]
    assert [each["changed"] for each in revoked] == [True, False]


def test_an_unknown_key_can_not_be_revoked(telecine: Commands) -> None:
    unknown = telecine("keys", "revoke", "key_unknown")
    assert unknown.code == 1
    assert "telecine keys list" in unknown.err


async def request_video(nats: EmbeddedNats, account: str, generation: str) -> None:
    event = example(GenerationRequested).model_copy(update={"account": account, "generation": generation})
    aggregate = subjects.video(account, generation)
    async with connect_as("gateway", nats) as connection:
        store = JetStreamEventStore(connection, registry())
        await store.append(event, envelope(event), aggregate=aggregate, expected=0)

        async def debited() -> bool:
            return len(await store.load(subjects.ledger(account))) == 2

        await eventually_async(debited, what="no debit came")


def test_events_of_a_generation_are_shown_without_its_prompt(telecine: Commands, stack: Stack) -> None:
    telecine.well("credits", "grant", "dave", "100", "--reference", "r")
    telecine.on_nats(request_video(stack.config.nats, "dave", "gen-1"))
    shown = telecine.well("events", "show", "gen-1")
    [head, *events] = shown.splitlines()
    assert head.startswith("generation gen-1 of account dave")
    assert [line.split()[3] for line in events] == ["generation.requested.v1", "credits.debited.v1"]
    prompt = example(GenerationRequested).model_dump()["parameters"]["prompt"]
    assert prompt not in shown
    document = telecine.json("events", "show", "gen-1")
    assert [event["stream"] for event in document] == ["VIDEO", "LEDGER"]
    assert document[0]["data"]["parameters"]["prompt"] == prompt
    missing = telecine("events", "show", "gen-unknown")
    assert (missing.code, "there is no generation gen-unknown" in missing.err) == (1, True)


def test_tail_prints_new_events_and_stops_with_ctrl_c(
    telecine: Commands, stack: Stack, tmp_path: Path
) -> None:
    data = stack.config.data
    with telecine_process(tmp_path, "events", "tail", "--data", data, "--account", "erin") as tail:
        tail.wait_for("waiting for events")
        telecine.well("credits", "grant", "frank", "7", "--reference", "not erin's")
        telecine.well("credits", "grant", "erin", "7", "--reference", "hers")
        tail.wait_for("hers")
        assert "not erin's" not in tail.out
        assert "credits.granted.v1" in tail.out
        assert tail.interrupt() == 0
        assert "Traceback" not in tail.err


def test_tail_starts_at_the_given_sequence_and_prints_json(
    telecine: Commands, stack: Stack, tmp_path: Path
) -> None:
    telecine.well("credits", "grant", "grace", "5", "--reference", "long ago")
    arguments = (
        "events",
        "tail",
        "--data",
        stack.config.data,
        "--stream",
        "ledger",
        "--since",
        "1",
        "--json",
    )
    with telecine_process(tmp_path, *arguments, "--account", "grace") as tail:
        tail.wait_for("long ago")
        event = json.loads(tail.out.splitlines()[0])
        assert (event["stream"], event["data"]["amount"]) == ("LEDGER", 5)


async def publish_invalid_message(nats: EmbeddedNats, account: str) -> None:
    async with connect_as("gateway", nats) as connection:
        await connection.jetstream().publish(f"video.{account}.gen.requested", b"no event at all")


async def wait_for_dead_letters(connection: Client, count: int) -> None:
    async def kept() -> bool:
        return (await connection.jetstream().stream_info("DEADLETTERS")).state.last_seq >= count

    await eventually_async(kept, what=f"letter {count} did not come")


async def dead_letters_of(nats: EmbeddedNats, count: int) -> None:
    async with connect_as(OPERATOR, nats) as connection:
        await wait_for_dead_letters(connection, count)


def test_a_dead_letter_is_listed_shown_and_replayed(telecine: Commands, stack: Stack) -> None:
    nats = stack.config.nats
    assert telecine("dead-letters", "list").err == "no dead letters\n"
    telecine.on_nats(publish_invalid_message(nats, "heidi"))
    telecine.on_nats(dead_letters_of(nats, 1))
    [letter] = telecine.json("dead-letters", "list")
    assert (letter["consumer"], letter["error_type"]) == ("credits-debit", "BadEnvelope")
    number = str(letter["id"])
    assert "credits-debit" in telecine.well("dead-letters", "list")
    shown = telecine.well("dead-letters", "show", number)
    assert "video.heidi.gen.requested" in shown
    assert "no event at all" not in shown
    assert "is delivered to credits-debit again" in telecine.well("dead-letters", "replay", number)
    telecine.on_nats(dead_letters_of(nats, 3))
    [again] = telecine.json("dead-letters", "list")
    assert (again["failures"], again["sequence"]) == (2, letter["sequence"])
    assert telecine("dead-letters", "show", number).code == 1
    assert telecine("dead-letters", "dismiss", str(again["id"])).code == 2
    why = ("--reason", "written by hand")
    assert "dismissed VIDEO#" in telecine.well("dead-letters", "dismiss", str(again["id"]), *why)
    assert telecine("dead-letters", "dismiss", "--all", *why).err == "no dead letters\n"
    assert "written by hand" in telecine.well("dead-letters", "list", "--resolved")
    assert "telecine dead-letters list" in telecine("dead-letters", "replay", "99").err


def test_tables_are_rebuilt_from_the_streams(telecine: Commands, stack: Stack) -> None:
    telecine.well("credits", "grant", "ivan", "30", "--reference", "r")
    first = telecine.well("projections", "rebuild", "gateway")
    assert "gateway: rebuilt (slot 2)" in first
    assert "projection ledger: read up to sequence" in first
    assert "table balance:" in first
    second = telecine.well("projections", "rebuild", "all")
    assert [line.split(":")[0] for line in second.splitlines() if "rebuilt" in line] == [
        "gateway",
        "credits",
        "generation",
        "storage",
    ]
    rows = [line for line in first.splitlines() if "table" in line]
    assert rows == [line for line in second.splitlines() if "table" in line][: len(rows)]


def test_provisioning_a_provisioned_server_changes_nothing(telecine: Commands) -> None:
    lines = telecine.well("provision").splitlines()
    assert {line.split()[0] for line in lines} == {"unchanged"}
    assert any(line.endswith("LEDGER") for line in lines)


async def publish_undecodable_message(url: str) -> None:
    async with connected(Target(url)) as connection:
        await provision(connection)
        await connection.jetstream().publish("video.judy.gen-bad.remarked", b"no event at all")


def test_an_unreadable_message_is_shown_with_its_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with shared_nats_server(tmp_path) as server:
        run_in_new_loop(publish_undecodable_message(server.url))
        shown = run_command(capsys, "events", "show", "gen-bad", "--nats-url", server.url)
    assert (shown.code, shown.err) == (0, "")
    assert "VIDEO#1" in shown.out
    assert "header ce-id is missing" in shown.out


async def fail_while_reading(target: Target) -> None:
    async with connected(target) as connection, live_events(connection, [(VIDEO, 0)]):
        raise FileExistsError("of the block")


def test_an_error_of_the_block_is_not_reported_as_a_lost_connection(telecine: Commands, stack: Stack) -> None:
    with pytest.raises(FileExistsError, match="of the block"):
        telecine.on_nats(fail_while_reading(stack_target(stack.config)))
