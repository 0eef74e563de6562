"""The issuer's public keys: fetched from its JWKS, cached, and kept while the issuer is unavailable (RFC 7517)."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
import structlog
from pydantic_core import from_json

from telecine_chassis.runtime.cancellation import cancel_and_wait

from .token_rules import ALGORITHMS

__all__ = ["IssuerKeys", "IssuerUnavailable", "usable_keys"]

log = structlog.get_logger(__name__)
_ALGORITHMS_OF = {
    "OKP Ed25519": ("EdDSA", "Ed25519"),
    "EC P-256": ("ES256",),
    "EC P-521": ("ES512",),
    "RSA": ("RS256", "PS256"),
}
"""What a key of a type and curve verifies. A key is never used with an algorithm of another type."""
MIN_RSA_BITS = 2048
MAX_BYTES = 256 * 1024
"""Largest JWKS."""
MAX_KEYS = 100
FETCH_TIMEOUT = 5
"""Seconds for a fetch, from connecting to the last byte."""
REFRESH_INTERVAL = 300
"""Seconds between two fetches without a cause: after so long at most, a key that the issuer withdrew is refused."""
RETRY_LONGEST = 30
"""Seconds between two attempts while the issuer is unavailable, at most; the first retry is after one second."""
MISS_INTERVAL = 30
"""Seconds from a fetch for an unknown key id, which did not find it, to the next such fetch."""

Keys = Mapping[str, Mapping[str, jwt.PyJWK]]
"""Key id → algorithm → key."""


class IssuerUnavailable(Exception):
    """No keys were fetched yet: whether a token is valid is not known."""


class _BadJwks(ValueError):
    """The response is not a JWKS with at least one usable key."""


class IssuerKeys:
    """A component: the keys at `url`, usable with `algorithms`. Follows no redirect and no proxy of the environment.

    An unknown key id causes a fetch, shared by all requests that wait for it: after a rotation the first token of the
    new key is accepted. Made-up ids cause one per MISS_INTERVAL.
    """

    def __init__(self, url: str, algorithms: tuple[str, ...] = ALGORITHMS) -> None:
        self._url = url
        self._algorithms = algorithms
        self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=FETCH_TIMEOUT)
        self._keys: Keys = {}
        self._members: Mapping[str, Any] = {}
        self._fetch: asyncio.Task[bool] | None = None
        self._follow: asyncio.Task[None] | None = None
        self._next_miss = float("-inf")
        self.version = 0
        """Grows when a key was withdrawn or replaced: what was verified before must be verified again."""

    async def start(self) -> None:
        """Begin to fetch the keys. Does not wait: the gateway works with API keys while the issuer is unavailable."""
        self._follow = asyncio.create_task(self._keep_fresh(), name="jwks")

    async def stop(self) -> None:
        """Cancel a fetch in progress and close the connections."""
        tasks = [task for task in (self._follow, self._fetch) if task is not None]
        await cancel_and_wait(*tasks)
        await self._client.aclose()

    async def find(self, key_id: str, algorithm: str) -> jwt.PyJWK | None:
        """The key, or None if the issuer has none of that id for the algorithm. Raises IssuerUnavailable."""
        if key_id not in self._keys:
            await self._look_for(key_id)
        if not self._keys:
            raise IssuerUnavailable
        return self._keys.get(key_id, {}).get(algorithm)

    async def _look_for(self, key_id: str) -> None:
        now = asyncio.get_running_loop().time
        # A fetch that is in progress may have begun before the key was made.
        attempts = 2 if self._is_fetching else 1
        for _ in range(attempts):
            if key_id in self._keys or now() < self._next_miss:
                return
            await self._refresh()
        if key_id not in self._keys:
            self._next_miss = now() + MISS_INTERVAL

    async def _keep_fresh(self) -> None:
        pause = 1
        while True:
            if await self._refresh():
                pause = 1
                await asyncio.sleep(REFRESH_INTERVAL)
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LONGEST)

    @property
    def _is_fetching(self) -> bool:
        return self._fetch is not None and not self._fetch.done()

    async def _refresh(self) -> bool:
        """Fetch once, for all who wait. Whether it succeeded."""
        if self._fetch is None or not self._is_fetching:
            self._fetch = asyncio.create_task(self._replace_keys(), name="jwks-fetch")
        return await asyncio.shield(self._fetch)

    async def _replace_keys(self) -> bool:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                members = usable_keys(await self._download(), self._algorithms)
        except (httpx.HTTPError, TimeoutError, OSError, _BadJwks) as error:
            detail = str(error) if isinstance(error, _BadJwks) else ""
            log.warning("jwks.unavailable", error=type(error).__name__, detail=detail)
            return False
        if any(members.get(key_id) != member for key_id, member in self._members.items()):
            self.version += 1
        if members != self._members:
            self._keys = {key_id: _public_keys(*member) for key_id, member in members.items()}
            self._members = members
            log.info("jwks.changed", keys=len(members))
        return True

    async def _download(self) -> bytes:
        # Uncompressed: a little of compressed data could be a lot of memory.
        wanted = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with self._client.stream("GET", self._url, headers=wanted) as response:
            if response.status_code != 200:
                raise _BadJwks(f"status {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _BadJwks(f"more than {MAX_BYTES} bytes")
            return bytes(body)


def usable_keys(
    body: bytes, algorithms: tuple[str, ...] = ALGORITHMS
) -> dict[str, tuple[dict[str, Any], tuple[str, ...]]]:
    """Key id → the JWK and the algorithms that it verifies. Keys for anything else are ignored.

    Raises ValueError if there is none: an issuer that signs tokens has one.
    """
    try:
        keys = from_json(body)["keys"]
    except (ValueError, TypeError, KeyError):
        raise _BadJwks("not a JWKS") from None
    found = {}
    for jwk in keys[:MAX_KEYS] if isinstance(keys, list) else ():
        usable = _usable_algorithms(jwk, algorithms)
        if usable and jwk["kid"] not in found:
            found[jwk["kid"]] = jwk, usable
    if not found:
        raise _BadJwks("no usable key")
    return found


def _usable_algorithms(jwk: Any, algorithms: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or "d" in jwk:
        return ()
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return ()
    possible = _ALGORITHMS_OF.get(f"{jwk.get('kty')} {jwk.get('crv', '')}".strip(), ())
    declared = jwk.get("alg")
    if declared is not None:
        same = ("EdDSA", "Ed25519") if declared in ("EdDSA", "Ed25519") else (declared,)
        possible = tuple(name for name in possible if name in same)
    usable = tuple(name for name in possible if name in algorithms)
    try:
        return usable if usable and _public_keys(jwk, usable) else ()
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return ()


def _public_keys(jwk: dict[str, Any], algorithms: tuple[str, ...]) -> dict[str, jwt.PyJWK]:
    keys = {}
    for name in algorithms:
        key = jwt.PyJWK(jwk, "EdDSA" if name == "Ed25519" else name)
        key.algorithm_name = name  # the library does not know the name Ed25519
        if jwk["kty"] == "RSA" and key.key.key_size < MIN_RSA_BITS:
            return {}
        keys[name] = key
    return keys
