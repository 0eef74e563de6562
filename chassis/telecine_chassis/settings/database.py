"""Settings of a service that has tables."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .base import ServiceSettings

__all__ = ["DatabaseSettings", "DatabaseUrl"]

DatabaseUrl = Annotated[
    str,
    Field(
        description="Database of the service's tables: sqlite:///file or postgresql+psycopg://…, with special "
        "characters percent-encoded (%25 for %)"
    ),
]


class DatabaseSettings(ServiceSettings):
    """The database of the service's tables. The password may be separate from the URL, e.g. in a file."""

    database_url: DatabaseUrl
    database_password: Annotated[
        SecretStr | None, Field(description="Password of the database's user, if the URL has none")
    ] = None

    @field_validator("database_url")
    @classmethod
    def _validate_database_url(cls, url: str) -> str:
        try:
            driver = make_url(url).drivername
        except (ArgumentError, ValueError):  # their texts are not repeated: the URL may contain a password
            driver = None
        if driver not in ("sqlite", "postgresql+psycopg"):
            raise ValueError("a database is sqlite:///file or postgresql+psycopg://user@host/name")
        return url

    @property
    def database(self) -> str:
        """The URL with the password: a secret."""
        if self.database_password is None:
            return self.database_url
        url = make_url(self.database_url).set(password=self.database_password.get_secret_value())
        return url.render_as_string(hide_password=False)
