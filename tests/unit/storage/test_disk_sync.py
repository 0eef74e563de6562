"""Syncing the file of an object to disk."""

import os
from pathlib import Path

import pytest

from telecine_storage.bucket.disk_sync import ObjectFiles
from telecine_storage.bucket.port import BucketRefused, BucketUnavailable

KEY = "videos/ann/video_1.mp4"


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
    files.sync(KEY, 5)
    names = [f"bucket/{KEY}", "bucket/videos/ann", "bucket/videos", "bucket", "."]
    assert synced_paths == [str(tmp_path / name) for name in names]


def test_a_folder_without_the_object_is_refused_with_the_settings_name(files: ObjectFiles) -> None:
    with pytest.raises(BucketRefused, match="TELECINE_S3_FILES="):
        files.sync("videos/ann/video_2.mp4", 5)


def test_a_wrong_length_is_not_acknowledged(files: ObjectFiles) -> None:
    with pytest.raises(BucketUnavailable, match="6 bytes were sent, the object's file has 5"):
        files.sync(KEY, 6)
