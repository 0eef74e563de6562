"""The issuer's keys: which are usable, when they are fetched, and what happens while the issuer is unavailable."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.eventually import eventually_async
from tests.support.http_servers.scripted_server import Reply, answer, answer_json, reset, send_slowly
from tests.support.http_servers.token_issuer import Issuer, SigningKey, token_issuer

from telecine_gateway.access import jwks
from telecine_gateway.access.jwks import IssuerKeys, IssuerUnavailable, usable_keys


@asynccontextmanager
async def keys_of(issuer: Issuer, *, fetched: bool = True) -> AsyncIterator[IssuerKeys]:
    keys = IssuerKeys(issuer.url)
    await keys.start()
    try:
        if fetched:
            assert await keys.find("first", issuer.keys[0].algorithm) is not None
        yield keys
    finally:
        await keys.stop()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with token_issuer() as issuer:
        yield issuer


def members(*keys: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        kid: algorithms for kid, (_, algorithms) in usable_keys(json.dumps({"keys": keys}).encode()).items()
    }


@pytest.mark.parametrize(
    ("algorithm", "usable"),
    [
        ("EdDSA", ("EdDSA", "Ed25519")),
        ("ES256", ("ES256",)),
        ("ES512", ("ES512",)),
        ("PS256", ("PS256",)),
        ("RS256", ("RS256",)),
    ],
)
def test_key_is_usable_with_the_algorithm_that_it_declares(algorithm: str, usable: tuple[str, ...]) -> None:
    assert members(SigningKey.new("k", algorithm).jwk) == {"k": usable}


def test_key_that_declares_no_algorithm_is_usable_with_those_of_its_type() -> None:
    jwk = SigningKey.new("k", "RS256").jwk
    del jwk["alg"]

    assert members(jwk) == {"k": ("RS256", "PS256")}


GOOD = SigningKey.new("good").jwk


@pytest.mark.parametrize(
    "unusable",
    [
        GOOD | {"kid": "k", "use": "enc"},
        GOOD | {"kid": "k", "key_ops": ["sign"]},
        GOOD | {"kid": "k", "alg": "HS256"},
        GOOD | {"kid": "k", "alg": "RS256"},
        GOOD | {"kid": "k", "kty": "EC"},
        GOOD | {"kid": "k", "kty": ["OKP"]},
        GOOD | {"kid": "k", "crv": "Ed448"},
        GOOD | {"kid": "k", "x": "AAAA"},
        GOOD | {"kid": "k", "d": "AAAA"},
        GOOD | {"kid": 7},
        {name: value for name, value in GOOD.items() if name != "kid"},
        {"kid": "k", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        {"kid": "k", "kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RS256"},
        SigningKey.new("k", "ES256").jwk | {"crv": "P-521", "alg": "ES512"},
        "key",
        None,
    ],
)
def test_other_members_of_the_jwks_are_ignored(unusable: Any) -> None:
    assert members(unusable, GOOD) == {"good": ("EdDSA", "Ed25519")}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff", b"[" * 100_000]
)
def test_jwks_without_a_usable_key_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JWKS|usable"):
        usable_keys(body)


async def test_keys_are_fetched_at_the_start(issuer: Issuer) -> None:
    async with keys_of(issuer) as keys:
        found = await keys.find("first", "Ed25519")

    assert found is not None
    assert found.algorithm_name == "Ed25519"
    assert issuer.fetches == 1


async def test_known_key_is_not_found_for_another_algorithm(issuer: Issuer) -> None:
    async with keys_of(issuer) as keys:
        assert await keys.find("first", "HS256") is None
        assert await keys.find("first", "none") is None
    assert issuer.fetches == 1


async def test_a_thousand_unknown_ids_cause_one_fetch(issuer: Issuer) -> None:
    async with keys_of(issuer) as keys:
        found = await asyncio.gather(*(keys.find(f"made-up-{number}", "EdDSA") for number in range(1000)))

    assert set(found) == {None}
    assert issuer.fetches == 2  # the one at the start, and one for all of these


async def test_each_new_key_is_found_at_once(issuer: Issuer) -> None:
    async with keys_of(issuer) as keys:
        for number in range(5):
            issuer.rotate(f"next-{number}")
            assert await keys.find(f"next-{number}", "EdDSA") is not None
            assert await keys.find("first", "EdDSA") is not None
    assert issuer.fetches == 6


async def test_key_made_during_a_fetch_is_found(issuer: Issuer) -> None:
    issuer.hold = asyncio.Event()
    async with keys_of(issuer, fetched=False) as keys:
        await issuer.server.asked.wait()  # the response to the fetch at the start is already decided
        issuer.rotate("next")
        finding = asyncio.create_task(keys.find("next", "EdDSA"))
        await asyncio.sleep(0)
        issuer.hold.set()

        assert await finding is not None


@pytest.mark.parametrize(
    "failure",
    [
        answer(500, b""),
        answer(302, b"", location="http://127.0.0.1:9/"),
        answer(200, b" " * (jwks.MAX_BYTES + 1)),
        answer(200, b"<html>"),
        answer_json(200, {"keys": []}),
        reset(),
        send_slowly(0.01),
    ],
    ids=["500", "redirect", "too-large", "html", "no-keys", "reset", "slow"],
)
async def test_cached_keys_are_used_while_the_issuer_is_unavailable(
    issuer: Issuer, failure: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT", 0.3)
    async with keys_of(issuer) as keys:
        issuer.reply = failure
        assert await keys.find("unknown", "EdDSA") is None
        assert await keys.find("first", "EdDSA") is not None
        assert keys.version == 0
    assert issuer.fetches == 2


async def test_without_any_keys_nothing_is_known_until_the_issuer_answers(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "RETRY_LONGEST", 0)
    issuer.reply = answer(503, b"")
    async with keys_of(issuer, fetched=False) as keys:
        with pytest.raises(IssuerUnavailable):
            await keys.find("first", "EdDSA")
        issuer.reply = None

        async def works() -> bool:
            try:
                return await keys.find("first", "EdDSA") is not None
            except IssuerUnavailable:
                return False

        await eventually_async(works)


async def test_withdrawn_key_is_forgotten(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with keys_of(issuer) as keys:
        issuer.keys = [SigningKey.new("second")]
        assert await keys.find("second", "EdDSA") is not None
        assert keys.version == 1
        assert await keys.find("first", "EdDSA") is None
