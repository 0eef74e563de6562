"""The NATS server that an auditor reads: its URLs, the auditor's identity, and requests to JetStream."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats.errors

from telecine_auditor.errors import SourceError
from telecine_contracts.permissions import AUDITOR, rights
from telecine_jetstream.client import NatsClient
from telecine_jetstream.errors import ConnectionLost, PermissionDenied
from telecine_jetstream.identity import NatsIdentity

__all__ = ["REPLY_TIMEOUT", "Server", "as_source_errors", "connect", "request"]

REPLY_TIMEOUT = 10
"""Seconds without a reply after which the server is considered unreachable."""
_RECONNECT_ATTEMPTS = 20
_RECONNECT_INTERVAL = 0.5
_CONNECT_TIMEOUT = 3
_SCHEMES = ("nats", "tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Servers (URLs separated by commas) and an identity: an nkey, a JWT user, or a name with a password.

    `inbox`: the prefix of the subjects on which that identity may receive replies; None: the auditor's.
    """

    url: str
    nkey_seed: Path | None = None
    creds: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    tls_ca: Path | None = None
    inbox: str | None = None

    @property
    def urls(self) -> list[str]:
        """Each server's URL. Raises SourceError for an invalid one."""
        return [_validated(url.strip()) for url in self.url.split(",")]

    @property
    def place(self) -> str:
        """The servers without the passwords that their URLs may contain."""
        return ", ".join(urlsplit(url).netloc.rpartition("@")[2] for url in self.urls)

    @property
    def identity(self) -> NatsIdentity:
        """The identity to connect with."""
        return NatsIdentity(
            nkey_seed=self.nkey_seed,
            creds=self.creds,
            user=self.user,
            password_file=self.password_file,
            tls_ca=self.tls_ca,
        )


async def connect(server: Server) -> NatsClient:
    """Connect, or raise SourceError within seconds."""
    client = NatsClient()

    async def ignore(error: Exception) -> None:
        """The client keeps it as its `last_error`."""

    async def lost() -> None:
        client.fail_all_pending(ConnectionLost("the connection to NATS was lost"))

    options = _identity_options(server.identity) | {
        "name": "telecine-audit",
        "error_cb": ignore,
        "disconnected_cb": lost,
        "closed_cb": lost,
        "connect_timeout": _CONNECT_TIMEOUT,
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": _RECONNECT_INTERVAL,
        "inbox_prefix": server.inbox or rights(AUDITOR).inbox,
    }
    try:
        await client.connect(servers=server.urls, **options)
    except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
        reason = client.last_error or error
        raise SourceError(
            f"no connection to NATS at {server.place}: {reason or type(reason).__name__}"
        ) from error
    # nats-py has one set of options for the first connection, which fails fast, and for reconnecting.
    client.options |= {"allow_reconnect": True, "max_reconnect_attempts": _RECONNECT_ATTEMPTS}
    return client


async def request(client: NatsClient, subject: str, body: object = None) -> dict[str, Any]:
    """One JetStream API request, both bodies in JSON. Raises SourceError when it is refused or there is no reply."""
    encoded = b"" if body is None else json.dumps(body).encode()
    try:
        with as_source_errors():
            message = await client.request(subject, encoded, REPLY_TIMEOUT)
        reply: dict[str, Any] = json.loads(message.data)
    except nats.errors.NoRespondersError:
        raise SourceError("the server has no JetStream for this identity") from None
    except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
        raise SourceError(
            f"no reply from the server to {subject}: {error or type(error).__name__}"
        ) from error
    return reply


@contextmanager
def as_source_errors() -> Iterator[None]:
    """Turn the client's errors about permissions and a lost connection into SourceError, with the same text."""
    try:
        yield
    except (PermissionDenied, ConnectionLost) as error:
        raise SourceError(str(error)) from error


def _validated(url: str) -> str:
    whole = url if "://" in url else f"nats://{url}"
    try:
        parts = urlsplit(whole)
        if parts.scheme in _SCHEMES and parts.hostname and parts.port != 0:
            return whole
    except ValueError:
        pass
    raise SourceError("--nats takes URLs of NATS servers, such as nats://127.0.0.1:4222")


def _identity_options(identity: NatsIdentity) -> dict[str, Any]:
    try:
        identity.validate()
        return identity.client_options()
    except ValueError as error:
        raise SourceError(str(error)) from error
