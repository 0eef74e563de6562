"""Every archive keeps a checkpoint for good, once, and never another one in its place."""

import asyncio
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.http_servers.scripted_server import RawServer, Reply, answer, raw_server
from tests.support.servers.instances import S3Server

from telecine_contracts.signed_note import Checkpoint
from telecine_credits.archive.folder import FolderArchive
from telecine_credits.archive.port import (
    LATEST,
    ArchiveUnavailable,
    CheckpointArchive,
    ConflictingNote,
    object_name,
)
from telecine_credits.archive.s3 import S3Archive, S3ArchiveConfig
from telecine_credits.checkpoints.key import Signer

SIGNER = Signer.new("telecine/ledger")
PREFIX = "of/the/ledger/"


@dataclass(frozen=True)
class Kept:
    """An archive, and a hand in it past the port."""

    archive: CheckpointArchive
    read: Callable[[], dict[str, str]]
    write: Callable[[str, str], object]


@pytest.fixture
async def s3_case(s3: S3Server, s3_bucket: str) -> AsyncIterator[Kept]:
    def read() -> dict[str, str]:
        with s3.client() as client:
            found = client.list_objects_v2(Bucket=s3_bucket).get("Contents", [])
            return {
                one["Key"].removeprefix(PREFIX): client.get_object(Bucket=s3_bucket, Key=one["Key"])["Body"]
                .read()
                .decode()
                for one in found
            }

    def write(name: str, text: str) -> None:
        with s3.client() as client:
            client.put_object(Bucket=s3_bucket, Key=PREFIX + name, Body=text.encode())

    archive = S3Archive(bucket(s3, s3_bucket))
    yield Kept(archive, read, write)
    await archive.aclose()


@pytest.fixture
def folder_case(tmp_path: Path) -> Kept:
    folder = tmp_path / "not" / "there" / "yet"

    def read() -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    return Kept(FolderArchive(folder), read, lambda name, text: (folder / name).write_text(text))


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.server)])
def case(request: pytest.FixtureRequest) -> Kept:
    kept: Kept = request.getfixturevalue(f"{request.param}_case")
    return kept


def bucket(s3: S3Server, name: str, secret_key: str | None = None) -> S3ArchiveConfig:
    return S3ArchiveConfig(s3.endpoint, name, s3.access_key, secret_key or s3.secret_key, prefix=PREFIX)


def note(size: int, root: bytes = b"r" * 32) -> str:
    return str(SIGNER.sign(Checkpoint("telecine/ledger", size, root)))


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*.txt")}


def s3_error(status: int, code: str) -> Reply:
    return answer(status, f"<Error><Code>{code}</Code></Error>".encode(), content_type="application/xml")


@asynccontextmanager
async def scripted(*replies: Reply) -> AsyncIterator[tuple[S3Archive, RawServer]]:
    """An archive on a server that can do what the server of the tests can't."""
    async with raw_server(*replies) as server:
        archive = S3Archive(S3ArchiveConfig(server.url, "b", "key", "secret"))
        yield archive, server
        await archive.aclose()


def test_object_names_sort_by_tree_size() -> None:
    assert object_name(7) == "ledger-00000000000000000007.txt"
    assert object_name(9) < object_name(10) < object_name(2**63 - 1)


async def test_a_checkpoint_is_stored_under_its_size_and_as_latest(case: Kept) -> None:
    await case.archive.keep(7, note(7))
    assert case.read() == {object_name(7): note(7), LATEST: note(7)}


async def test_keeping_it_again_changes_nothing(case: Kept) -> None:
    for _ in range(3):
        await case.archive.keep(7, note(7))
    assert case.read() == {object_name(7): note(7), LATEST: note(7)}


async def test_older_ones_stay_and_the_latest_is_the_largest(case: Kept) -> None:
    for size in (9, 100, 20):
        await case.archive.keep(size, note(size))
    assert case.read() == {
        object_name(9): note(9),
        object_name(20): note(20),
        object_name(100): note(100),
        LATEST: note(100),
    }


async def test_another_note_of_the_same_size_is_refused(case: Kept) -> None:
    await case.archive.keep(7, note(7))
    with pytest.raises(ConflictingNote, match=object_name(7)):
        await case.archive.keep(7, note(7, b"x" * 32))
    assert case.read() == {object_name(7): note(7), LATEST: note(7)}


@pytest.mark.parametrize("there", ["", "no note", "half a no"])
async def test_an_invalid_note_is_not_overwritten(case: Kept, there: str) -> None:
    await case.archive.keep(1, note(1))
    case.write(object_name(7), there)
    with pytest.raises(ConflictingNote):
        await case.archive.keep(7, note(7))
    assert case.read()[object_name(7)] == there


async def test_an_invalid_latest_is_replaced(case: Kept) -> None:
    await case.archive.keep(7, note(7))
    case.write(LATEST, "half a no")
    await case.archive.keep(7, note(7))
    assert case.read()[LATEST] == note(7)


async def test_concurrent_stores_are_consistent(case: Kept) -> None:
    await asyncio.gather(*(case.archive.keep(size, note(size)) for size in (1, 1, 2, 2, 3)))
    found = case.read()
    assert {name for name in found if name != LATEST} == {object_name(1), object_name(2), object_name(3)}
    await case.archive.keep(3, note(3))
    assert case.read()[LATEST] == note(3)


async def test_an_outdated_latest_is_replaced(case: Kept) -> None:
    await case.archive.keep(7, note(7))
    case.write(LATEST, note(6))
    await case.archive.keep(7, note(7))
    assert case.read()[LATEST] == note(7)


async def test_an_unwritable_folder_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    archive = FolderArchive(tmp_path / "file")
    with pytest.raises(ArchiveUnavailable, match="FileExistsError"):
        await archive.keep(7, note(7))


async def test_files_may_be_read_by_others(folder_case: Kept, tmp_path: Path) -> None:
    await folder_case.archive.keep(7, note(7))
    assert modes(tmp_path) == {0o644}


async def test_an_unreachable_server_is_unavailable(unused_tcp_port: int) -> None:
    archive = S3Archive(S3ArchiveConfig(f"http://127.0.0.1:{unused_tcp_port}", "b", "key", "secret"))
    with pytest.raises(ArchiveUnavailable):
        await archive.keep(7, note(7))
    await archive.aclose()


async def test_an_invalid_endpoint_is_unavailable() -> None:
    archive = S3Archive(S3ArchiveConfig("nowhere", "b", "key", "secret"))
    with pytest.raises(ArchiveUnavailable):
        await archive.keep(7, note(7))
    await archive.aclose()


async def test_a_wrong_secret_or_bucket_is_unavailable(s3: S3Server, s3_bucket: str) -> None:
    for config in (bucket(s3, s3_bucket, "another secret"), bucket(s3, "nowhere")):
        archive = S3Archive(config)
        with pytest.raises(ArchiveUnavailable):
            await archive.keep(7, note(7))
        await archive.aclose()


MISSING = s3_error(404, "NoSuchKey")
CAME_FIRST = s3_error(412, "PreconditionFailed")


async def test_conditional_writes_are_used_where_supported() -> None:
    there = answer(200, note(7).encode())
    async with scripted(MISSING, CAME_FIRST, there, there) as (archive, server):
        await archive.keep(7, note(7))
    assert server.methods == ["GET", "PUT", "GET", "GET"]
    assert server.requests[1].headers["if-none-match"] == "*"


async def test_a_conflicting_earlier_note_is_reported() -> None:
    async with scripted(MISSING, CAME_FIRST, answer(200, b"another")) as (archive, _):
        with pytest.raises(ConflictingNote):
            await archive.keep(7, note(7))


async def test_unconditional_writes_where_conditions_are_unsupported() -> None:
    replies = [MISSING, s3_error(501, "NotImplemented"), answer(200, b""), MISSING, answer(200, b"")]
    async with scripted(*replies) as (archive, server):
        await archive.keep(7, note(7))
    assert server.methods == ["GET", "PUT", "PUT", "GET", "PUT"]
    assert "if-none-match" not in server.requests[2].headers


async def test_the_keys_are_not_shown() -> None:
    shown = repr(S3ArchiveConfig("http://127.0.0.1", "b", "the-key", "the-secret"))
    assert "the-key" not in shown
    assert "the-secret" not in shown


async def test_boto3_is_loaded_at_the_first_call_only() -> None:
    program = "import sys, telecine_credits.archive.s3; sys.exit('boto3' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
