"""Tokens: who their bearer is, and every way in which one is not valid."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.http_servers.scripted_server import answer
from tests.support.http_servers.token_issuer import AUDIENCE, ISSUER, Issuer, SigningKey, token_issuer

from telecine_gateway.access import tokens
from telecine_gateway.access.jwks import IssuerKeys
from telecine_gateway.access.token_rules import TokenRules
from telecine_gateway.access.tokens import InvalidAccountClaim, Reason, TokenRefused, TokenVerifier

RULES = TokenRules(ISSUER, (AUDIENCE, "telecine"))


@dataclass
class Clock:
    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with token_issuer() as issuer:
        yield issuer


@pytest.fixture
async def keys(issuer: Issuer) -> AsyncIterator[IssuerKeys]:
    keys = IssuerKeys(issuer.url)
    await keys.start()
    yield keys
    await keys.stop()


@pytest.fixture
def verifier(keys: IssuerKeys) -> TokenVerifier:
    return TokenVerifier(RULES, keys)


async def refusal(verifier: TokenVerifier, token: str) -> Reason:
    with pytest.raises(TokenRefused) as refused:
        await verifier.verify(token)
    assert not token or token not in repr(refused.value)
    return refused.value.reason


def encode(value: Any) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES512", "PS256", "RS256"])
async def test_token_of_each_algorithm_is_accepted(algorithm: str) -> None:
    async with token_issuer(algorithm) as issuer:
        keys = IssuerKeys(issuer.url)
        await keys.start()
        owner = await TokenVerifier(RULES, keys).verify(issuer.token())
        await keys.stop()

    assert owner.account == "user1"
    assert owner.scopes == {"generate"}


async def test_eddsa_is_accepted_by_its_newer_name(issuer: Issuer, verifier: TokenVerifier) -> None:
    owner = await verifier.verify(issuer.keys[0].sign(issuer.claims(), alg="EdDSA"))
    header = encode({"alg": "Ed25519", "kid": "first"})
    signed = f"{header}.{encode(issuer.claims())}"
    token = f"{signed}.{encode(issuer.keys[0].private.sign(signed.encode()))}"

    assert await verifier.verify(token) == owner


async def test_one_of_several_audiences_is_enough(issuer: Issuer, verifier: TokenVerifier) -> None:
    assert (await verifier.verify(issuer.token(aud=["other", "telecine"]))).account == "user1"


async def test_alg_none_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    for name in ("none", "None", "NONE", ""):
        unsigned = f"{encode({'alg': name, 'kid': 'first'})}.{encode(issuer.claims())}."
        assert await refusal(verifier, unsigned) in (Reason.UNKNOWN_KEY, Reason.MALFORMED)


async def test_hs256_with_the_public_key_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    public = issuer.keys[0].private.public_key()
    spki = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    raw = Encoding.Raw, PublicFormat.Raw
    for form in (spki, raw):
        signed = f"{encode({'alg': 'HS256', 'kid': 'first'})}.{encode(issuer.claims())}"
        mac = hmac.new(public.public_bytes(*form), signed.encode(), hashlib.sha256).digest()
        assert await refusal(verifier, f"{signed}.{encode(mac)}") is Reason.UNKNOWN_KEY


async def test_foreign_key_under_a_known_id_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    foreign = SigningKey.new("first").sign(issuer.claims())
    assert await refusal(verifier, foreign) is Reason.BAD_SIGNATURE


async def test_changed_claims_are_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    header, _, signature = issuer.token().split(".")
    changed = f"{header}.{encode(issuer.claims(sub='another'))}.{signature}"
    assert await refusal(verifier, changed) is Reason.BAD_SIGNATURE


async def test_unknown_key_id_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    assert await refusal(verifier, SigningKey.new("other").sign(issuer.claims())) is Reason.UNKNOWN_KEY


@pytest.mark.parametrize("kid", [None, 7, ["first"], {"a": 1}])
async def test_key_id_must_be_a_text(issuer: Issuer, verifier: TokenVerifier, kid: Any) -> None:
    token = f"{encode({'alg': 'EdDSA', 'kid': kid})}.{encode(issuer.claims())}.{encode(b'0' * 64)}"
    assert await refusal(verifier, token) is Reason.MALFORMED


async def test_expired_token_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    assert await refusal(verifier, issuer.token(exp=int(time.time()) - 60)) is Reason.EXPIRED


async def test_token_of_the_future_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    for claim in ("nbf", "iat"):
        token = issuer.token(**{claim: int(time.time()) + 300})
        assert await refusal(verifier, token) is Reason.NOT_YET_VALID


async def test_clocks_may_differ_a_little(issuer: Issuer, verifier: TokenVerifier) -> None:
    now = int(time.time())
    for token in (issuer.token(exp=now - 5), issuer.token(nbf=now + 5, iat=now + 5)):
        assert (await verifier.verify(token)).account == "user1"


async def test_wrong_issuer_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    assert await refusal(verifier, issuer.token(iss=f"{ISSUER}.evil.example")) is Reason.WRONG_ISSUER


async def test_wrong_audience_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    for audience in ("https://other.example.com", ["a", "b"]):
        assert await refusal(verifier, issuer.token(aud=audience)) is Reason.WRONG_AUDIENCE


@pytest.mark.parametrize("claim", ["exp", "iss", "aud"])
async def test_claim_is_required(issuer: Issuer, verifier: TokenVerifier, claim: str) -> None:
    assert await refusal(verifier, issuer.token(**{claim: None})) is Reason.MISSING_CLAIM


async def test_extensions_are_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    for critical in (["made-up"], ["exp"], [], "exp"):
        header = {"alg": "EdDSA", "kid": "first", "crit": critical, "made-up": 1, "exp": 1}
        signed = f"{encode(header)}.{encode(issuer.claims())}"
        token = f"{signed}.{encode(issuer.keys[0].private.sign(signed.encode()))}"
        assert await refusal(verifier, token) is Reason.MALFORMED


async def test_detached_payload_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    header = {"alg": "EdDSA", "kid": "first", "b64": False, "crit": ["b64"]}
    signed = f"{encode(header)}.".encode()
    token = f"{encode(header)}..{encode(issuer.keys[0].private.sign(signed))}"
    assert await refusal(verifier, token) is Reason.MALFORMED


async def test_keys_that_the_token_names_are_ignored(issuer: Issuer, verifier: TokenVerifier) -> None:
    own = SigningKey.new("mine")
    named = own.sign(issuer.claims(), jwk=own.jwk, jku=issuer.url, x5u=issuer.url)
    assert await refusal(verifier, named) is Reason.UNKNOWN_KEY


async def test_large_token_is_refused_before_it_is_parsed(
    issuer: Issuer, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwt, "get_unverified_header", None)  # would fail if it were called
    large = issuer.token(note="x" * 100_000)
    assert len(large) > 100_000
    assert await refusal(verifier, large) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d",
        f"{encode(b'[' * 5000)}.e30.e30",
        "\ud800.e30.e30",
        "é.ü.ö",
        "eyJ" + "A" * 5000,
    ],
)
async def test_text_that_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    assert await refusal(verifier, token) is Reason.MALFORMED


@pytest.mark.parametrize("value", [float("inf"), "soon", [], {}])
async def test_time_must_be_a_number(issuer: Issuer, verifier: TokenVerifier, value: Any) -> None:
    for claim in ("exp", "nbf", "iat"):
        assert await refusal(verifier, issuer.token(**{claim: value})) is Reason.MALFORMED


@pytest.mark.parametrize(
    "account", [None, "", "a.b", "a b", "*", "x" * 65, "ann@example.com", 7, ["a"], "a\n"]
)
async def test_account_claim_must_be_the_name_of_an_account(
    issuer: Issuer, keys: IssuerKeys, account: Any
) -> None:
    verifier = TokenVerifier(replace(RULES, account_claim="tenant"), keys)
    with pytest.raises(InvalidAccountClaim) as refused:
        await verifier.verify(issuer.token(tenant=account))
    assert refused.value.claim == "tenant"
    assert str(account) == "" or str(account) not in repr(refused.value)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, {"generate"}),
        ({"scope": "generate keys"}, {"generate", "keys"}),
        ({"scope": "profile email"}, set()),
        ({"scope": ""}, set()),
        ({"permissions": ["admin", "other", 7]}, {"admin"}),
        ({"scope": "keys", "permissions": ["admin"]}, {"keys"}),
        ({"scope": 7}, {"generate"}),
    ],
)
async def test_scopes_come_from_the_configured_claims(
    issuer: Issuer, keys: IssuerKeys, claims: dict[str, Any], scopes: set[str]
) -> None:
    verifier = TokenVerifier(replace(RULES, scope_claims=("scope", "permissions")), keys)
    assert (await verifier.verify(issuer.token(**claims))).scopes == scopes
    assert (await TokenVerifier(RULES, keys).verify(issuer.token(**claims))).scopes == {"generate"}


@pytest.mark.parametrize(("claims", "signs_up"), [({"ok": True}, True), ({"ok": "true"}, False), ({}, False)])
async def test_sign_up_may_require_a_claim(
    issuer: Issuer, keys: IssuerKeys, claims: dict[str, Any], signs_up: bool
) -> None:
    verifier = TokenVerifier(replace(RULES, sign_up_claim="ok"), keys)
    assert (await verifier.verify(issuer.token(**claims))).signs_up is signs_up
    assert (await TokenVerifier(RULES, keys).verify(issuer.token(**claims))).signs_up


async def test_verified_token_is_cached_until_it_expires(
    issuer: Issuer, keys: IssuerKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    verifier = TokenVerifier(RULES, keys, clock)
    token = issuer.token()
    owner = await verifier.verify(token)
    monkeypatch.setattr(jwt, "decode", None)  # would fail if it were called

    assert await verifier.verify(token) is owner
    clock.now += 900 + tokens.LEEWAY + 1
    assert await refusal(verifier, token) is Reason.EXPIRED


async def test_cache_is_bounded_and_holds_no_token(
    issuer: Issuer, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_CACHED", 3)
    made = [issuer.token(sub=f"user{number}") for number in range(5)]
    for token in made:
        await verifier.verify(token)

    assert len(verifier._verified) == 3
    assert not any(token in repr(verifier._verified) for token in made)


async def test_token_of_a_withdrawn_key_is_refused_though_it_was_cached(
    issuer: Issuer, verifier: TokenVerifier
) -> None:
    old = issuer.token()
    await verifier.verify(old)
    issuer.keys = [SigningKey.new("second")]
    await verifier.verify(issuer.token())

    assert await refusal(verifier, old) is Reason.UNKNOWN_KEY


async def test_tokens_are_accepted_while_the_issuer_is_unavailable(
    issuer: Issuer, verifier: TokenVerifier
) -> None:
    await verifier.verify(issuer.token())
    issuer.reply = answer(500, b"")

    assert (await verifier.verify(issuer.token(sub="user2"))).account == "user2"
