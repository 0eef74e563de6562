"""The worked example of docs/payments.md: its webhook runs as it stands there, its commands get the answers shown."""

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.servers.instances import NatsServer

from telecine_contracts import subjects

PAGE = (Path(__file__).parents[3] / "docs" / "payments.md").read_text(encoding="utf-8")
SECRET = "the secret of the provider"
Handle = Callable[[bytes, str], int]


@pytest.fixture
async def environment(nats: NatsServer, tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:
    async with gateway_environment(nats, tmp_path) as environment, environment.credits():
        yield environment


@pytest.fixture
async def gateway(environment: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with environment.gateway(answer_timeout=1) as gateway:
        yield gateway


@pytest.fixture
async def admin_client(environment: GatewayEnvironment, gateway: Gateway) -> AccountClient:
    return await environment.owner(gateway, "office", scopes=("admin",))


@pytest.fixture
def handle(gateway: Gateway, admin_client: AccountClient, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The webhook on the page."""
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for name, value in (
        ("GATEWAY", gateway.settings.public_url),
        ("KEY", admin_client.key.secret),
        ("WEBHOOK_SECRET", SECRET),
        ("NO_PROXY", "127.0.0.1"),
    ):
        monkeypatch.setenv(name, value)
    webhook: dict[str, Any] = {}
    exec(compile(code, "docs/payments.md", "exec"), webhook)  # noqa: S102  the page of this repository
    yield webhook["handle"]
    webhook["telecine"].close()


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET) -> str:
    sent = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={sent},v1={digest}"


async def send(handle: Handle, kind: str, **data: Any) -> int:
    """What the provider is answered."""
    body = json.dumps(
        {"type": kind, "data": data | {"metadata": {"account": "acme", "credits": "500"}}}
    ).encode()
    return await asyncio.to_thread(handle, body, signed(body))


async def deliver_webhook(handle: Handle, kind: str, **data: Any) -> int:
    """What the provider is answered in the end: it sends an event again for as long as it is told to."""
    for _ in range(20):
        if (answer := await send(handle, kind, **data)) != 503:
            return answer
    return 503


async def balance(admin_client: AccountClient) -> tuple[int, int]:
    shown = (await admin_client.get("/api/admin/accounts/acme")).json()
    return shown["entry"], shown["available"]


async def test_a_payment_becomes_credits_once(
    environment: GatewayEnvironment, admin_client: AccountClient, handle: Handle
) -> None:
    paid = [await deliver_webhook(handle, "payment.succeeded", id="pay_1") for _ in range(3)]
    other = await deliver_webhook(handle, "payment.succeeded", id="pay_2")
    ignored = await send(handle, "payment.created", id="pay_3")

    assert (paid, other, ignored) == ([200] * 3, 200, 200)
    assert await balance(admin_client) == (2, 1000)


async def test_a_payment_is_credited_whatever_its_description_says(
    admin_client: AccountClient, handle: Handle
) -> None:
    descriptions = [
        "tab\there",
        "two\r\nlines",
        "bell\x07 and nul\x00",
        "\u202eturned",
        "\ud800",
        "x" * 501,
        "",
        None,
    ]
    answers = [
        await deliver_webhook(handle, "payment.succeeded", id=f"pay_{number}", description=text)
        for number, text in enumerate(descriptions)
    ]
    assert answers == [200] * len(descriptions)
    grants = (await admin_client.get("/api/admin/accounts/acme?limit=100")).json()["grants"]["items"]
    reasons = {grant["reference"]: grant["reason"] for grant in grants}
    assert (reasons["pay_0"], reasons["pay_1"], reasons["pay_5"]) == ("tab here", "two lines", "x" * 500)


async def test_refunded_payment_takes_back_what_is_available(
    environment: GatewayEnvironment, gateway: Gateway, admin_client: AccountClient, handle: Handle
) -> None:
    owner = await environment.owner(gateway)
    await deliver_webhook(handle, "payment.succeeded", id="pay_1")
    assert (await owner.generate()).status_code == 200

    answers = [
        await deliver_webhook(handle, "payment.refunded", id="re_1", payment="pay_1") for _ in range(2)
    ]
    unknown = await deliver_webhook(handle, "payment.refunded", id="re_2", payment="pay_unknown")

    assert (answers, unknown) == ([200, 200], 200)
    assert await balance(admin_client) == (3, 0)


async def test_what_the_provider_did_not_sign_is_refused(
    environment: GatewayEnvironment, handle: Handle
) -> None:
    body = b'{"type": "payment.succeeded"}'
    for signature in (
        signed(body, secret="another secret"),
        signed(body, at=time.time() - 301),
        signed(body + b" "),
        "v1=",
        "",
    ):
        assert await asyncio.to_thread(handle, body, signature) == 400
    assert await environment.load(subjects.ledger("acme")) == []


@pytest.mark.parts("restart")
async def test_the_provider_is_asked_to_send_it_again(
    nats: NatsServer, gateway: Gateway, admin_client: AccountClient, handle: Handle
) -> None:
    nats.kill()
    while_down = await send(handle, "payment.succeeded", id="pay_1")
    await nats.start()

    assert while_down == 503
    for _ in range(400):
        if await send(handle, "payment.succeeded", id="pay_1") == 200:
            break
    assert await send(handle, "payment.succeeded", id="pay_1") == 200


async def test_the_requests_of_the_page_get_the_answers_of_the_page(
    environment: GatewayEnvironment, admin_client: AccountClient
) -> None:
    sent = [
        (path.partition("/api")[2], json.loads(body))
        for path, body in re.findall(r'"\$GATEWAY(/api/admin/\w+)".*?-d \'(\{.*?\})\'', PAGE, re.DOTALL)
    ]
    shown = [
        json.loads(answer) for answer in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    ]
    payment, correction, plan = sent
    plan[1]["expiresAt"] = (datetime.now(UTC) + timedelta(days=30)).isoformat()

    answers = [await admin_client.post(f"/api{path}", body) for path, body in (payment, correction, plan)]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert [answers[0].json(), answers[1].json()] == shown
