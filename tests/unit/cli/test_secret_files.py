"""`telecine secrets`: created once, kept, readable by a container and by no other user of the machine."""

from pathlib import Path

import pytest

from telecine_cli.errors import CommandError
from telecine_cli.provisioning.credentials import make_credentials
from telecine_cli.provisioning.secret_files import make_secrets


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("name", "content"),
    [("checkpoint_key", b"\xff"), ("checkpoint_key", b"none"), ("checkpoint_key.pub", b"\xff")],
)
def test_a_file_without_a_key_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    make_secrets(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=str(tmp_path)):
        make_secrets(tmp_path)


def test_existing_secrets_are_kept_and_missing_ones_created(tmp_path: Path) -> None:
    made = make_secrets(tmp_path)
    before = contents(tmp_path)
    assert {*made.secrets.values(), *made.identities.values()} == {"made"}

    (tmp_path / "content_secret").unlink()
    again = make_secrets(tmp_path)
    after = contents(tmp_path)
    assert [name for name, done in again.secrets.items() if done == "made"] == ["content_secret"]
    assert {name for name in after if after[name] != before[name]} == {"content_secret"}


def test_a_container_can_read_its_file_and_other_users_cannot_enter_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    make_credentials(folder / "nats", rotate=["gateway"])
    make_secrets(folder)
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.rglob("*") if path.is_file()} == {0o644}


def test_earlier_public_keys_are_kept_after_the_newest(tmp_path: Path) -> None:
    public = tmp_path / "checkpoint_key.pub"
    make_secrets(tmp_path)
    first = public.read_text()
    (tmp_path / "checkpoint_key").unlink()
    make_secrets(tmp_path)
    both = public.read_text()
    assert both.endswith(first)
    assert len(set(both.splitlines())) == 2
    make_secrets(tmp_path)
    assert public.read_text() == both
