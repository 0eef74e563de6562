"""Secret settings: read from variables or files, and checked for guessable and reused values."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from .secret_strength import PASSWORD_GUESSES, SIGNING_GUESSES, can_be_guessed

__all__ = [
    "BadSecretFile",
    "ChosenSecret",
    "SecretFiles",
    "SigningSecret",
    "is_secret",
    "shared_secrets",
    "weak_secrets",
]


class SigningSecret(SecretStr):
    """A signing key. It can be guessed offline, so it must be much stronger than a password."""


ChosenSecret = Annotated[SigningSecret, Field(min_length=16)]
"""A signing key that the operator generates: at least 16 characters, even in a sandbox."""
_EXAMPLE = "example-"
_KNOWN = frozenset(
    {
        "admin",
        "change-me",
        "change_me",
        "changeme",
        "correct horse battery staple",
        "correcthorsebatterystaple",
        "default",
        "hunter2",
        "minio",
        "minio123",
        "minioadmin",
        "nats",
        "none",
        "passwd",
        "password",
        "postgres",
        "root",
        "s3cr3t",
        "secret",
        "sk-1234",
        "telecine",
        "test",
        "todo",
        "xxx",
        "your-api-key",
    }
)


class BadSecretFile(SettingsError):
    """A secret's file can't be read, or the secret is given twice; names the variables."""


class SecretFiles(PydanticBaseSettingsSource):
    """Reads a secret setting X from the file that `<prefix>X_FILE` names, without its final newline.

    Raises BadSecretFile for a file that can't be read or is empty, and for a secret that is given both ways.
    """

    def __init__(self, settings: type[BaseSettings], environment: Mapping[str, str] | None = None) -> None:
        super().__init__(settings)
        given = os.environ if environment is None else environment
        self._given = {name.upper(): value for name, value in given.items() if value}
        self._prefix = self.config.get("env_prefix", "")

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret of one field, if there is a file for it."""
        name = f"{self._prefix}{field_name}".upper()
        path = self._given.get(f"{name}_FILE") if is_secret(field) else None
        if path is None:
            return None, field_name, False
        if name in self._given:
            raise BadSecretFile(f"{name} and {name}_FILE are both set: set one of them")
        return _content(f"{name}_FILE", Path(path)), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's values must not be shown."""
    return _holds_secret(field.annotation)


def _holds_secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, SecretStr):
        return True
    return any(_holds_secret(part) for part in get_args(annotation))


def weak_secrets(settings: BaseModel) -> Iterator[str]:
    """Names of settings whose secret, or password in a URL, is known from examples or guessable."""
    for name, value in _values(settings):
        within = SIGNING_GUESSES if isinstance(value, SigningSecret) else PASSWORD_GUESSES
        if any(_is_example(secret) or can_be_guessed(secret, within) for secret in _secrets(name, value)):
            yield name


def shared_secrets(settings: BaseModel) -> Iterator[tuple[str, ...]]:
    """Groups of settings with the same secret: a leak of one would reveal the others."""
    names: dict[str, list[str]] = {}
    for name, value in _values(settings):
        for secret in dict.fromkeys(_secrets(name, value)):
            names.setdefault(secret, []).append(name)
    return (tuple(several) for several in names.values() if len(several) > 1)


def _values(settings: BaseModel) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(settings, name)) for name in type(settings).model_fields)


def _is_example(secret: str) -> bool:
    plain = secret.strip().casefold()
    return plain in _KNOWN or plain.startswith(_EXAMPLE)


def _secrets(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str) and name.endswith("_url"):
        yield from _passwords(value)


def _passwords(urls: str) -> Iterator[str]:
    for url in urls.split(","):
        try:
            password = urlsplit(url).password
        except ValueError:  # the setting's own validation reports it
            continue
        if password:
            yield password


def _content(name: str, file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise BadSecretFile(f"{name}: {file} can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadSecretFile(f"{name}: {file} is not text") from None
    if not text:
        raise BadSecretFile(f"{name}: {file} is empty")
    return text
