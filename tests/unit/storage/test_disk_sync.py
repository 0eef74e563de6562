"""Syncing the file of an object to disk and comparing it with what was sent."""

import hashlib
import os
from pathlib import Path

import pytest

from telecine_storage.bucket.disk_sync import ObjectFiles, SyncedBucket
from telecine_storage.bucket.memory import MemoryBucket
from telecine_storage.bucket.port import BucketRefused, BucketUnavailable

KEY = "videos/ann/video_1.mp4"
SHA256 = hashlib.sha256(b"video").hexdigest()


@pytest.fixture
def synced_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The synced paths, in order."""
    seen: list[str] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        fsync(handle)
        seen.append(str(Path(f"/proc/self/fd/{handle}").readlink()))

    monkeypatch.setattr(os, "fsync", note)
    return seen


@pytest.fixture
def files(tmp_path: Path) -> ObjectFiles:
    file = tmp_path / "bucket" / KEY
    file.parent.mkdir(parents=True)
    file.write_bytes(b"video")
    return ObjectFiles(tmp_path, "bucket")


def test_the_file_is_synced_and_then_every_folder_above_it(
    files: ObjectFiles, tmp_path: Path, synced_paths: list[str]
) -> None:
    files.sync(KEY)
    names = [f"bucket/{KEY}", "bucket/videos/ann", "bucket/videos", "bucket", "."]
    assert synced_paths == [str(tmp_path / name) for name in names]


def test_a_folder_without_the_object_is_refused_with_the_settings_name(files: ObjectFiles) -> None:
    with pytest.raises(BucketRefused, match="TELECINE_S3_FILES="):
        files.sync("videos/ann/video_2.mp4")
    with pytest.raises(BucketRefused, match="TELECINE_S3_FILES="):
        files.digest("videos/ann/video_2.mp4")


async def test_an_object_is_confirmed_when_its_file_is_synced(
    files: ObjectFiles, tmp_path: Path, synced_paths: list[str]
) -> None:
    await SyncedBucket(MemoryBucket(), files).confirm(KEY, 5, SHA256)
    assert synced_paths[0] == str(tmp_path / "bucket" / KEY)


@pytest.mark.parametrize("found", [b"", b"vide", b"Video", b"video!"])
async def test_an_object_whose_file_differs_is_deleted(
    files: ObjectFiles, tmp_path: Path, found: bytes
) -> None:
    (tmp_path / "bucket" / KEY).write_bytes(found)
    bucket = MemoryBucket({KEY: found})
    with pytest.raises(BucketUnavailable, match="differs"):
        await SyncedBucket(bucket, files).confirm(KEY, 5, SHA256)
    assert bucket.objects == {}
