"""Checkpoints of the ledger: signed when they are due, of what really is there, and never of anything doubtful."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.schema import DropTable
from sqlmodel import Session, select
from structlog.testing import capture_logs
from tests.support.environments.checkpoints import (
    CheckpointEnvironment,
    Replica,
    checkpoint_environment,
    root_of,
)
from tests.support.environments.databases import database_url
from tests.support.environments.unreliable_store import StoreFault, UnreliableStore
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer, S3Server

from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.server import Server
from telecine_chassis.eventstore.port import AppendRejected, Unavailable
from telecine_contracts import Envelope, Event, subjects
from telecine_contracts.signed_note import Note, VerifierKey
from telecine_contracts.transparency import Frontier
from telecine_credits.app import build
from telecine_credits.archive.folder import FolderArchive
from telecine_credits.archive.port import LATEST, ArchiveUnavailable, object_name
from telecine_credits.checkpoints.archiver import CheckpointArchiver
from telecine_credits.checkpoints.errors import (
    CheckpointRefused,
    EntriesMissing,
    HistoryMismatch,
    LedgerTruncated,
    UnreadableCheckpoint,
)
from telecine_credits.checkpoints.key import Signer
from telecine_credits.read_model.tables import METADATA, TreeRow
from telecine_credits.settings import Settings

HOUR = timedelta(hours=1)
UNUSUAL_HEADERS = (
    b"ce-type: one\r\nce-type: other\r\n",
    b"ce-id:tight\r\nce-source:\t  wide \t\r\n",
    b"no colon\r\n: no name\r\nwith space: x\r\n",
    b"x-\xc3\xa4: name\r\nx-value: \xc3\xa4 \xff\xfe\r\n",
    b"x-lines: one\nnats-two: three\rfour\r\n",
    b"nats-own: x\r\nNATS-X: y\r\nx: Nats-z\r\n",
    b"x:\r\n",
    b"",
)


@pytest.fixture
async def environment(nats: NatsServer, tmp_path: Path) -> AsyncIterator[CheckpointEnvironment]:
    async with checkpoint_environment(nats.url, tmp_path) as one:
        yield one


async def refusal_of_new_replica(
    environment: CheckpointEnvironment, why: type[CheckpointRefused], database: str = "credits"
) -> str:
    """What a replica says that is started now and signs nothing; it says the same at every look."""
    before = await environment.sizes()
    replica = environment.replica(database)
    for _ in range(2):
        with pytest.raises(why) as caught:
            await replica.publish_if_due()
    assert await environment.sizes() == before
    return str(caught.value)


async def test_an_empty_ledger_has_no_checkpoint(environment: CheckpointEnvironment) -> None:
    assert await environment.replica().publish_if_due() is None
    assert await environment.sizes() == []


async def test_the_first_entry_is_signed_then_every_so_many(environment: CheckpointEnvironment) -> None:
    replica = environment.replica()
    for _ in range(25):
        await environment.entries(1)
        await replica.publish_if_due()
    assert await environment.sizes() == [1, 11, 21]


async def test_after_a_while_a_single_entry_is_enough(environment: CheckpointEnvironment) -> None:
    replica = environment.replica()
    await environment.entries(3)
    await replica.publish_if_due()
    environment.now += HOUR
    assert await replica.publish_if_due() is None
    await environment.entries(1)
    assert await replica.publish_if_due() is not None
    await environment.entries(1)
    environment.now += HOUR - timedelta(seconds=1)
    assert await replica.publish_if_due() is None
    environment.now += timedelta(seconds=1)
    assert await replica.publish_if_due() is not None
    assert await environment.sizes() == [3, 4, 5]


async def test_a_checkpoint_from_the_future_does_not_delay_the_next(
    environment: CheckpointEnvironment,
) -> None:
    replica = environment.replica()
    await environment.entries(1)
    environment.now += 24 * HOUR
    assert await replica.publish_if_due() is not None
    environment.now -= 24 * HOUR
    await environment.entries(1)
    assert await replica.publish_if_due() is not None
    assert await environment.sizes() == [1, 2]


async def test_the_root_is_that_of_everything_in_the_stream(environment: CheckpointEnvironment) -> None:
    replica = environment.replica()
    for count in (1, 3, 13, 40):
        await environment.entries(count)
        await replica.publish_if_due()
    published = await environment.published()
    assert [checkpoint.size for checkpoint in published] == [1, 17, 57]
    for checkpoint in published:
        assert checkpoint.root == await environment.root(checkpoint.size)
        assert checkpoint.origin == "telecine/ledger"


async def test_the_auditor_has_the_same_tree_however_odd_the_headers_are(
    environment: CheckpointEnvironment, nats: NatsServer
) -> None:
    await environment.entries(9)
    for head in UNUSUAL_HEADERS:
        await environment.odd_entry(head)
    replica, length = environment.replica(), 9 + len(UNUSUAL_HEADERS)
    await eventually_async(lambda: _is_as_long(replica, length))
    published = await replica.publish_if_due()
    assert published is not None
    source = await NatsSource.open(Server(url=nats.url))
    leaves = [entry.stated async for batch in source.batches("LEDGER") for entry in batch]
    await source.close()
    assert len(leaves) == length
    assert published.checkpoint.root == root_of(leaves)


async def test_a_restart_goes_on_where_the_last_checkpoint_was(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    await environment.replica().publish_if_due()
    await environment.entries(15)
    again = environment.replica()
    assert await again.publish_if_due() is not None
    assert again.reader.read == [(20, 35)]
    assert [c.root for c in await environment.published()] == [
        await environment.root(20),
        await environment.root(35),
    ]


async def test_without_its_database_it_reads_everything_and_comes_to_the_same(
    environment: CheckpointEnvironment,
) -> None:
    await environment.entries(20)
    await environment.replica().publish_if_due()
    await environment.entries(15)
    new = environment.replica("new")
    assert await new.publish_if_due() is not None
    assert new.reader.read == [(0, 20), (20, 35)]
    assert (await environment.published())[-1].root == await environment.root(35)


async def test_a_kept_tree_that_can_t_be_read_is_computed_again(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    replica = environment.replica()
    await replica.publish_if_due()
    with Session(replica.engine) as session:
        session.exec(select(TreeRow)).one().peaks = b"short"
        session.commit()
    again = environment.replica()
    await again.publish_if_due()
    assert again.reader.read == [(0, 20)]


async def test_two_replicas_sign_no_size_twice(environment: CheckpointEnvironment) -> None:
    replicas = [environment.replica("one"), environment.replica("two")]
    for count in (1, 10, 7, 10, 30, 10):
        await environment.entries(count)
        await asyncio.gather(*(replica.publish_if_due() for replica in replicas))
    sizes = await environment.sizes()
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 68
    for checkpoint in await environment.published():
        assert checkpoint.root == await environment.root(checkpoint.size)


async def test_two_replicas_may_share_a_database(environment: CheckpointEnvironment) -> None:
    replicas = [environment.replica(), environment.replica()]
    await environment.entries(30)
    await asyncio.gather(*(replica.publish_if_due() for replica in replicas))
    await environment.entries(30)
    await asyncio.gather(*(replica.publish_if_due() for replica in replicas))
    assert await environment.sizes() == [30, 60]
    again = environment.replica()
    await again.publish_if_due()
    assert again.reader.read == []


async def test_a_replica_verifies_checkpoints_of_others(environment: CheckpointEnvironment) -> None:
    one, other = environment.replica("one"), environment.replica("two")
    await environment.entries(5)
    await one.publish_if_due()
    await environment.entries(20)
    await other.publish_if_due()
    await environment.entries(10)
    await one.publish_if_due()
    assert await environment.sizes() == [5, 25, 35]
    assert one.reader.read == [(0, 5), (5, 25), (25, 35)]


@pytest.mark.parametrize("trouble", ["stored", "not stored", "stored before the retry"])
async def test_a_checkpoint_without_an_answer_is_published_once(
    environment: CheckpointEnvironment, trouble: StoreFault
) -> None:
    store = UnreliableStore(environment.store)
    replica = environment.replica(store=store)
    await environment.entries(5)
    store.troubles.append(trouble)
    with pytest.raises(Unavailable):
        await replica.publish_if_due()
    await environment.entries(20)
    await replica.publish_if_due()
    await replica.publish_if_due()
    sizes = await environment.sizes()
    assert sizes in ([5, 25], [25])
    assert sizes == ([25] if trouble == "not stored" else [5, 25])


@pytest.mark.parametrize("gone", [1, 4, 12, 20])
async def test_nothing_is_signed_over_a_gap(environment: CheckpointEnvironment, gone: int) -> None:
    await environment.unprotect()
    await environment.entries(8)
    await environment.replica().publish_if_due()
    await environment.entries(12)
    await environment.client.jetstream().delete_msg("LEDGER", gone)
    assert await refusal_of_new_replica(environment, EntriesMissing) == "1 of 20 entries are missing"
    assert await refusal_of_new_replica(environment, EntriesMissing, "new") == "1 of 20 entries are missing"
    await environment.entries(20)
    await refusal_of_new_replica(environment, EntriesMissing)
    assert await environment.sizes() == [8]


async def test_a_gap_is_seen_while_it_is_read_as_well(environment: CheckpointEnvironment) -> None:
    await environment.unprotect()
    await environment.entries(20)
    replica = environment.replica()
    await environment.client.jetstream().delete_msg("LEDGER", 12)
    with pytest.raises(EntriesMissing, match="entry 12 is missing"):
        await replica.reader.extend(await replica.reader.extend(Frontier(), 5), 20)


async def test_a_purged_ledger_is_not_signed(environment: CheckpointEnvironment) -> None:
    await environment.unprotect()
    await environment.entries(20)
    await environment.replica().publish_if_due()
    await environment.client.jetstream().purge_stream("LEDGER")
    await refusal_of_new_replica(environment, EntriesMissing)
    await environment.entries(20)
    await refusal_of_new_replica(environment, EntriesMissing)


async def test_a_ledger_cut_short_is_not_signed(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    replica = environment.replica()
    await replica.publish_if_due()
    await environment.unprotect(keep=15)
    with pytest.raises(LedgerTruncated, match="15 entries, but 20"):
        await replica.publish_if_due()
    assert (
        await refusal_of_new_replica(environment, LedgerTruncated)
        == "the ledger has 15 entries, but 20 were signed"
    )
    assert (
        await refusal_of_new_replica(environment, LedgerTruncated, "new")
        == "the ledger has 15 entries, but 20 were signed"
    )


async def test_a_ledger_that_comes_back_whole_is_signed_again(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    replica = environment.replica()
    await replica.publish_if_due()
    kept = [await environment.raw(sequence) for sequence in range(1, 21)]
    await environment.unprotect(keep=5)
    with pytest.raises(LedgerTruncated):
        await replica.publish_if_due()
    await environment.restore(kept[5:])
    await environment.entries(10)
    assert await replica.publish_if_due() is not None
    assert (await environment.published())[-1].root == await environment.root(30)


async def test_another_history_is_not_signed(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    await environment.replica().publish_if_due()
    await environment.unprotect(keep=15)
    await environment.entries(30)
    told = await refusal_of_new_replica(environment, HistoryMismatch, "new")
    assert told == "the first 20 entries differ from those that were signed"


async def test_a_checkpoint_of_something_else_stops_it(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    replica = environment.replica()
    await replica.publish_if_due()
    await environment.entries(5)
    await environment.forge(25, b"x" * 32)
    with pytest.raises(HistoryMismatch):
        await replica.publish_if_due()
    await environment.entries(30)
    await refusal_of_new_replica(environment, HistoryMismatch)
    await refusal_of_new_replica(environment, HistoryMismatch, "new")


async def test_a_checkpoint_beyond_the_ledger_stops_it(environment: CheckpointEnvironment) -> None:
    await environment.entries(5)
    await environment.forge(25, b"x" * 32)
    await refusal_of_new_replica(environment, LedgerTruncated)


async def test_signed_history_binds_after_checkpoints_are_lost(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    await environment.replica().publish_if_due()
    await environment.forget_checkpoints()
    await environment.unprotect(keep=15)
    await refusal_of_new_replica(environment, LedgerTruncated)
    await environment.entries(30)
    await refusal_of_new_replica(environment, HistoryMismatch)


async def test_checkpoints_go_on_after_all_were_lost(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    await environment.replica().publish_if_due()
    await environment.forget_checkpoints()
    await environment.entries(1)
    again = environment.replica()
    await again.publish_if_due()
    assert again.reader.read == [(0, 20), (20, 21)]
    assert [c.root for c in await environment.published()] == [await environment.root(21)]


async def test_lost_checkpoints_are_noticed_in_a_running_replica(environment: CheckpointEnvironment) -> None:
    await environment.entries(20)
    replica = environment.replica()
    await replica.publish_if_due()
    await environment.forget_checkpoints()
    await environment.forge(7, await environment.root(7))
    await environment.entries(10)
    await replica.publish_if_due()
    assert await environment.sizes() == [7, 30]
    assert (await environment.published())[-1].root == await environment.root(30)


@pytest.mark.parametrize("note", ["no note", "text\n\n— a AAAAAAA=\n"])
async def test_a_last_checkpoint_that_can_t_be_read_stops_it(
    environment: CheckpointEnvironment, note: str
) -> None:
    await environment.entries(20)
    await environment.forge(20, b"x" * 32, note=note)
    replica = environment.replica()
    with pytest.raises(UnreadableCheckpoint, match="message 1 of CHECKPOINTS"):
        await replica.publish_if_due()


async def test_a_new_key_goes_on_with_the_same_tree(environment: CheckpointEnvironment) -> None:
    await environment.entries(5)
    await environment.replica().publish_if_due()
    environment.signer = Signer.new("telecine/ledger-2")
    await environment.entries(10)
    published = await environment.replica().publish_if_due()
    assert published is not None
    assert published.checkpoint.origin == "telecine/ledger-2"
    assert published.checkpoint.root == await environment.root(15)
    assert (await environment.replica("new").publish_if_due()) is None


async def test_unavailable_database_does_not_stop_signing(environment: CheckpointEnvironment) -> None:
    replica = environment.replica()
    await environment.entries(5)
    await replica.publish_if_due()
    with Session(replica.engine) as session:
        session.execute(DropTable(METADATA.tables["ledger_tree"]))
        session.commit()
    await environment.entries(10)
    with capture_logs() as logs:
        assert await replica.publish_if_due() is not None
    assert [log["log_level"] for log in logs if log["event"] == "checkpoint.not_kept"] == ["warning"]
    assert await environment.sizes() == [5, 15]


@dataclass
class FailingStore(UnreliableStore):
    """A store that takes nothing while there is an `error`."""

    error: Exception | None = None

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        if self.error is not None:
            raise self.error
        return await super().append(event, envelope, aggregate=aggregate, expected=expected)


class Archive(FolderArchive):
    """A folder that can be out of reach, and says how often it was asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.down = True
        self.asked = 0

    async def keep(self, size: int, note: str) -> None:
        self.asked += 1
        if self.down:
            raise ArchiveUnavailable("scripted")
        await super().keep(size, note)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*")) if folder.is_dir() else []


async def test_an_archive_that_is_down_stops_nothing_and_catches_up(
    environment: CheckpointEnvironment, tmp_path: Path
) -> None:
    archive = Archive(tmp_path / "archive")
    archiving = CheckpointArchiver(archive, retry=0.02)
    replica = environment.replica(archives=[archiving])
    await archiving.start()
    with capture_logs() as logs:
        for _ in range(3):
            await environment.entries(10)
            await replica.publish_if_due()
        await eventually(lambda: archive.asked > 3)
        archive.down = False
        await eventually(lambda: LATEST in files(tmp_path / "archive"))
    await archiving.stop()
    assert await environment.sizes() == [10, 20, 30]
    assert files(tmp_path / "archive") == [LATEST, object_name(30)]
    warning = next(log for log in logs if log["event"] == "checkpoint.archive_unavailable")
    assert (warning["place"], warning["log_level"]) == (str(tmp_path / "archive"), "warning")


async def test_a_crash_before_archiving_is_repaired_at_the_start(
    environment: CheckpointEnvironment, tmp_path: Path
) -> None:
    await environment.entries(10)
    await environment.replica().publish_if_due()
    archive = Archive(tmp_path / "archive")
    archive.down = False
    archiving = CheckpointArchiver(archive)
    await archiving.start()
    assert await environment.replica(archives=[archiving]).publish_if_due() is None
    await eventually(lambda: LATEST in files(tmp_path / "archive"))
    await archiving.stop()


async def test_lost_archive_files_are_stored_again(
    environment: CheckpointEnvironment, tmp_path: Path
) -> None:
    archive = Archive(tmp_path / "archive")
    archive.down = False
    archiving = CheckpointArchiver(archive, again=0.02)
    await archiving.start()
    await environment.entries(10)
    await environment.replica(archives=[archiving]).publish_if_due()
    await eventually(lambda: object_name(10) in files(tmp_path / "archive"))
    (tmp_path / "archive" / object_name(10)).unlink()
    await eventually(lambda: object_name(10) in files(tmp_path / "archive"))
    await archiving.stop()


async def test_a_conflicting_archive_is_logged_as_an_error(
    environment: CheckpointEnvironment, tmp_path: Path
) -> None:
    archive = FolderArchive(tmp_path / "archive")
    await archive.keep(10, "another note")
    archiving = CheckpointArchiver(archive)
    await archiving.start()
    await environment.entries(10)
    with capture_logs() as logs:
        await environment.replica(archives=[archiving]).publish_if_due()
        await eventually(lambda: any(log["event"] == "checkpoint.archive_differs" for log in logs))
    await archiving.stop()
    assert (tmp_path / "archive" / object_name(10)).read_text() == "another note"
    assert next(log for log in logs if log["event"] == "checkpoint.archive_differs")["log_level"] == "error"


async def test_a_lasting_problem_is_logged_once_per_interval(environment: CheckpointEnvironment) -> None:
    await environment.unprotect()
    await environment.entries(5)
    await environment.client.jetstream().delete_msg("LEDGER", 2)
    replica = environment.replica()
    with capture_logs() as logs:
        for _ in range(5):
            await replica.run_once()
        assert [(log["event"], log["log_level"]) for log in logs] == [("checkpoint.refused", "error")]
        assert logs[0]["error"] == "EntriesMissing: 1 of 5 entries are missing"
        environment.now += HOUR
        await replica.run_once()
        assert len(logs) == 2


@pytest.mark.parametrize(
    ("error", "event", "level"),
    [
        (AppendRejected("scripted"), "checkpoint.refused", "error"),
        (Unavailable("scripted"), "checkpoint.put_off", "warning"),
        (ZeroDivisionError("scripted"), "checkpoint.failed", "error"),
    ],
)
async def test_any_error_is_logged_and_retried(
    environment: CheckpointEnvironment, error: Exception, event: str, level: str
) -> None:
    store = FailingStore(environment.store, error=error)
    replica = environment.replica(store=store)
    await environment.entries(5)
    with capture_logs() as logs:
        await replica.run_once()
        await replica.run_once()
        store.error = None
        await replica.run_once()
    assert [(log["event"], log["log_level"]) for log in logs] == [
        (event, level),
        ("checkpoint.signed", "info"),
    ]
    assert await environment.sizes() == [5]


async def test_the_service_signs_and_archives(
    environment: CheckpointEnvironment, nats: NatsServer, s3: S3Server, s3_bucket: str
) -> None:
    folder = environment.folder / "outside"
    settings = Settings(
        nats_url=nats.url,
        database_url=database_url(environment.folder, "service"),
        checkpoint_key=environment.signer.secret_text(),
        checkpoint_entries=5,
        checkpoint_folder=folder,
        checkpoint_s3_endpoint=s3.endpoint,
        checkpoint_s3_bucket=s3_bucket,
        checkpoint_s3_access_key=s3.access_key,
        checkpoint_s3_secret_key=s3.secret_key,
    )
    with capture_logs() as logs:
        service = build(settings)
        await service.start()
        await environment.entries(1)
        await eventually_async(environment.sizes)
        await environment.entries(9)
        await eventually_async(lambda: _ends_at(environment, 10))
        await eventually(lambda: object_name(10) in files(folder))
        await eventually(lambda: f"checkpoints/{object_name(10)}" in keys(s3, s3_bucket))
        await service.stop()
    assert environment.signer.secret_text().split("+", 4)[4] not in str(logs)
    note = Note.of((folder / LATEST).read_text(encoding="utf-8"))
    assert note.signatures[0].key_id == VerifierKey.of(str(environment.signer.verifier)).id
    again = build(settings)
    await again.start()
    await again.stop()
    assert (await environment.sizes())[-1] == 10


async def test_without_a_key_the_service_says_so_once(
    environment: CheckpointEnvironment, nats: NatsServer
) -> None:
    settings = Settings(nats_url=nats.url, database_url=database_url(environment.folder, "service"))
    with capture_logs() as logs:
        service = build(settings)
        await service.start()
        await environment.entries(1)
        await service.stop()
    assert [log["log_level"] for log in logs if log["event"] == "checkpoint.no_key"] == ["warning"]
    assert await environment.store.load(subjects.checkpoints("ledger")) == []


async def _is_as_long(replica: Replica, length: int) -> bool:
    return await replica.reader.length() == length


async def _ends_at(environment: CheckpointEnvironment, size: int) -> bool:
    return (await environment.sizes())[-1] == size


def keys(s3: S3Server, bucket: str) -> list[str]:
    with s3.client() as client:
        return [found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
