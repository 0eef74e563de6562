"""An issuer of JSON Web Tokens, with a JWKS on loopback: signs anything, also what no issuer should."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from tests.support.http_servers.scripted_server import RawRequest, RawServer, Reply, answer_json, raw_server

__all__ = ["AUDIENCE", "ISSUER", "Issuer", "SigningKey", "token_issuer"]

ISSUER = "https://app.example.com"
AUDIENCE = "https://videos.example.com"


@dataclass(frozen=True)
class SigningKey:
    """A private key. `jwk` is its public half as the JWKS shows it."""

    kid: str
    algorithm: str
    private: Any

    @classmethod
    def new(cls, kid: str, algorithm: str = "EdDSA") -> "SigningKey":
        private: Any
        match algorithm:
            case "EdDSA":
                private = ed25519.Ed25519PrivateKey.generate()
            case "ES256":
                private = ec.generate_private_key(ec.SECP256R1())
            case "ES512":
                private = ec.generate_private_key(ec.SECP521R1())
            case _:
                private = rsa.generate_private_key(65537, 2048)
        return cls(kid, algorithm, private)

    @property
    def jwk(self) -> dict[str, Any]:
        known = jwt.get_algorithm_by_name(self.algorithm)
        public = known.to_jwk(self.private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return {**public, "kid": self.kid, "alg": self.algorithm}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token. `header` adds to its header, and replaces what is there."""
        return jwt.encode(claims, self.private, self.algorithm, {"kid": self.kid, **header})


@dataclass
class Issuer:
    """`keys` are published, the last one signs. `reply` replaces the JWKS, e.g. to fail."""

    keys: list[SigningKey]
    server: RawServer
    reply: Reply | None = None
    hold: asyncio.Event | None = None
    more: list[dict[str, Any]] = field(default_factory=list)
    """Members of the JWKS beside the keys."""

    @property
    def url(self) -> str:
        return f"{self.server.url}/api/auth/jwks"

    @property
    def fetches(self) -> int:
        return len(self.server.requests)

    def rotate(self, kid: str, algorithm: str = "EdDSA") -> SigningKey:
        """Make a key that signs from now on; those before stay published."""
        self.keys.append(SigningKey.new(kid, algorithm))
        return self.keys[-1]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a valid token; None leaves one out."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user1", "iat": now, "exp": now + 900} | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, **changes: Any) -> str:
        """A token of the newest key."""
        return self.keys[-1].sign(self.claims(**changes))


@asynccontextmanager
async def token_issuer(algorithm: str = "EdDSA") -> AsyncIterator[Issuer]:
    """An issuer with one key."""
    issuer: Issuer

    async def reply(request: RawRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        jwks = {"keys": [*issuer.more, *(key.jwk for key in issuer.keys)]}
        if issuer.hold is not None:
            await issuer.hold.wait()
        await (issuer.reply or answer_json(200, json.loads(json.dumps(jwks))))(request, reader, writer)

    async with raw_server(reply) as server:
        issuer = Issuer([SigningKey.new("first", algorithm)], server)
        yield issuer
