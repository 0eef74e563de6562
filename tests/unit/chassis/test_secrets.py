"""Secrets: from files as well, never twice, never one out of an example, never shown."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from telecine_chassis.settings.base import ServiceSettings
from telecine_chassis.settings.secret_strength import SIGNING_GUESSES, can_be_guessed
from telecine_chassis.settings.secrets import BadSecretFile, ChosenSecret, SigningSecret

OWN = "a secret of the tests 5fR8uLc2Wd1B"


class Settings(ServiceSettings):
    """A service with every kind of secret."""

    required: SecretStr
    optional: SecretStr | None = None
    chosen: ChosenSecret = SigningSecret("of many letters 7mQ2vX9rTb4K")
    chosen_or_none: ChosenSecret | None = None
    database_url: str = "sqlite:///x.db"
    plain: str = "password"


def problems(**settings: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Settings(**settings)
    return [problem["msg"] for problem in caught.value.errors(include_input=False)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a secret"
    path.write_text(f"{OWN}\n")
    return path


@pytest.mark.parametrize("name", ["REQUIRED", "OPTIONAL", "CHOSEN", "CHOSEN_OR_NONE", "required"])
def test_a_secret_may_stand_in_a_file(file: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_REQUIRED", "another secret of the tests")
    monkeypatch.delenv(f"TELECINE_{name.upper()}", raising=False)
    monkeypatch.setenv(f"TELECINE_{name}_FILE", str(file))
    secret: SecretStr = getattr(Settings(), name.lower())
    assert secret.get_secret_value() == OWN


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_only_the_line_break_at_the_end_is_left_out(
    tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(f"  two\n lines {end}".encode())
    monkeypatch.setenv("TELECINE_REQUIRED_FILE", str(tmp_path / "secret"))
    assert Settings().required.get_secret_value() == "  two\n lines "


def test_a_value_and_a_file_together_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_REQUIRED", OWN)
    monkeypatch.setenv("TELECINE_REQUIRED_FILE", str(file))
    with pytest.raises(BadSecretFile, match="TELECINE_REQUIRED and TELECINE_REQUIRED_FILE") as caught:
        Settings()
    assert OWN not in str(caught.value)


def test_an_empty_variable_is_unset(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_OPTIONAL_FILE", "")
    monkeypatch.setenv("TELECINE_REQUIRED_FILE", str(file))
    assert Settings().optional is None


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "can't be read"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "is not text")],
)
def test_a_file_that_holds_no_secret_is_named(
    tmp_path: Path, content: bytes | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("TELECINE_REQUIRED_FILE", str(path))
    with pytest.raises(BadSecretFile, match=told) as caught:
        Settings()
    assert str(caught.value).startswith(f"TELECINE_REQUIRED_FILE: {path}")


def test_only_secrets_come_from_files(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_PLAIN_FILE", str(file))
    assert Settings(required=SecretStr(OWN)).plain == "password"


@pytest.mark.parametrize(
    "secret",
    [
        "changeme",
        "example-content-secret",
        " Password ",
        "minioadmin",
        "sk-1234",
        "0000000000",
        "1234567890123456",
        "passwordpassword",
        "P@ssw0rdP@ssw0rd",
        "0123456789abcdef" * 4,
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    ],
)
def test_a_secret_that_can_be_guessed_is_refused(secret: str) -> None:
    [told] = problems(required=secret)
    assert "TELECINE_REQUIRED: " in told
    assert "TELECINE_PROFILE=sandbox" in told
    assert secret not in told
    assert Settings(required=SecretStr(secret), profile="sandbox").required.get_secret_value() == secret


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://u:telecine@db/credits", "postgresql+psycopg://u:example-x@db/credits"]
)
def test_a_password_in_a_url_is_looked_at_too(url: str) -> None:
    [told] = problems(required=OWN, database_url=url)
    assert "TELECINE_DATABASE_URL: " in told
    own = "postgresql+psycopg://telecine:Ka9xW2hhT4m@db/telecine"
    assert Settings(required=SecretStr(OWN), database_url=own).database_url == own


def test_every_server_of_a_list_is_looked_at() -> None:
    [told] = problems(required=OWN, nats_url="nats://one:4222,nats://operator:secret@two:4222")
    assert "TELECINE_NATS_URL: " in told


@pytest.mark.parametrize("url", ["nats://nats:4222", "nats://127.0.0.1:4222,nats://10.1.2.3:4222"])
def test_nats_over_a_network_requires_credentials(url: str) -> None:
    [told] = problems(required=OWN, nats_url=url)
    assert "TELECINE_NATS_NKEY_SEED_FILE: " in told
    named = url.replace("nats://", "nats://gateway:Ka9xW2hhT4m@")
    assert Settings(required=SecretStr(OWN), nats_url=named).nats_url == named
    assert Settings(required=SecretStr(OWN), nats_url=url, profile="sandbox").nats_url == url


@pytest.mark.parametrize("url", ["nats://127.0.0.1:4222", "nats://localhost:4222", "tls://[::1]:4222"])
def test_nats_on_loopback_needs_no_credentials(url: str) -> None:
    assert Settings(required=SecretStr(OWN), nats_url=url).nats_url == url


@pytest.mark.parametrize(
    "secret", ["TelecineProduction2026!", "correct horse battery staple", "k7#mQ2!vX9rTb5pL"]
)
def test_a_key_for_signatures_is_harder_to_guess_than_a_password(secret: str) -> None:
    [told] = problems(required=OWN, chosen=secret)
    assert "TELECINE_CHOSEN: " in told
    assert "openssl rand -hex 32" in told
    assert secret not in told


@given(st.binary(min_size=32, max_size=32), st.sampled_from([bytes.hex, urlsafe_b64encode, b64encode]))
def test_what_a_generator_makes_is_accepted_without_word_lists(
    made: bytes, form: Callable[[bytes], Any]
) -> None:
    random_bytes = sha256(made).digest()
    text = form(random_bytes)
    secret = text if isinstance(text, str) else text.decode().rstrip("=")
    assert not can_be_guessed(secret, SIGNING_GUESSES)


def test_one_secret_for_two_purposes_is_refused() -> None:
    twice = "of many letters Zk3Jw8YdPq6N"
    [told] = problems(required=OWN, chosen=twice, chosen_or_none=twice)
    assert "TELECINE_CHOSEN and TELECINE_CHOSEN_OR_NONE: the same secret for two purposes" in told
    assert twice not in told
    [told] = problems(required="Ka9xW2hhT4m", database_url="postgresql+psycopg://t:Ka9xW2hhT4m@db/t")
    assert "TELECINE_REQUIRED and TELECINE_DATABASE_URL: the same" in told
    assert Settings(required=SecretStr(OWN), chosen=twice, chosen_or_none=twice, profile="sandbox")


def test_a_chosen_secret_has_a_length() -> None:
    assert "at least 16" in problems(required=OWN, chosen="too short")[0]


def test_secrets_are_not_shown() -> None:
    assert OWN not in repr(Settings(required=SecretStr(OWN)))
