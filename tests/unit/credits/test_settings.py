"""The credits service says what is wrong with the settings of its checkpoints, and never shows the key."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from telecine_credits.app import archive_bucket, build, checkpoint_archives
from telecine_credits.checkpoints.key import Signer
from telecine_credits.settings import Settings

SIGNER = Signer.new("telecine/ledger")
KEY = SIGNER.secret_text()
SECRET = KEY.split("+", 4)[4]
BUCKET: dict[str, Any] = {
    "checkpoint_s3_endpoint": "http://127.0.0.1:1",
    "checkpoint_s3_bucket": "b",
    "checkpoint_s3_access_key": "access",
    "checkpoint_s3_secret_key": "a key of the tests",
}


def problems(**settings: Any) -> str:
    """What the service prints for settings that it can't start with."""
    with pytest.raises(ValidationError) as caught:
        Settings(**settings)
    return "\n".join(
        f"{'_'.join(map(str, problem['loc']))}: {problem['msg']}"
        for problem in caught.value.errors(include_input=False, include_url=False)
    )


def test_the_key_is_optional() -> None:
    settings = Settings()
    assert settings.signer() is None
    assert list(checkpoint_archives(settings)) == []


def test_a_key_is_read_from_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    plain = Settings(checkpoint_key=KEY)
    monkeypatch.setenv("TELECINE_CHECKPOINT_KEY_FILE", str(file))
    for settings in (plain, Settings()):
        signer = settings.signer()
        assert signer is not None
        assert signer.verifier == SIGNER.verifier


def test_variables_that_are_empty_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEY", "KEY_FILE", "FOLDER", "S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.setenv(f"TELECINE_CHECKPOINT_{name}", "")
    assert Settings().signer() is None
    assert list(checkpoint_archives(Settings())) == []


def test_an_invalid_key_is_an_error() -> None:
    told = problems(checkpoint_key=KEY.replace("telecine/ledger", "other/log"))
    assert told.startswith("checkpoint_key: ")
    assert "does not match" in told
    assert SECRET not in told


def test_a_file_without_a_key_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "noise").write_text("noise")
    monkeypatch.setenv("TELECINE_CHECKPOINT_KEY_FILE", str(tmp_path / "noise"))
    told = problems()
    assert told.startswith("checkpoint_key: ")
    assert "PRIVATE+KEY+<name>" in told


@pytest.mark.parametrize("missing", BUCKET)
def test_bucket_settings_must_be_complete(missing: str) -> None:
    told = problems(**{name: value for name, value in BUCKET.items() if name != missing})
    assert f"a bucket for checkpoints needs TELECINE_{missing.upper()} too" in told


def test_folder_and_bucket_archives_can_be_combined(tmp_path: Path) -> None:
    settings = Settings(checkpoint_folder=tmp_path, **BUCKET)
    assert [archive.place for archive in checkpoint_archives(settings)] == [
        str(tmp_path),
        "s3://b/checkpoints/",
    ]
    assert archive_bucket(settings) is not None


@pytest.mark.parametrize(
    ("name", "value"), [("checkpoint_entries", 0), ("checkpoint_entries", -1), ("checkpoint_interval", 0)]
)
def test_invalid_intervals_are_refused(name: str, value: int) -> None:
    assert problems(**{name: value}).startswith(f"{name}: ")


def test_the_key_is_not_shown() -> None:
    settings = Settings(checkpoint_key=KEY, **BUCKET)
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {build(settings)!r}"
    assert SECRET not in shown
