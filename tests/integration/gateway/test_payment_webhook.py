"""The worked example of docs/payments.md: its webhook works unchanged, and its commands get the answers shown there."""

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.servers.instances import NatsServer, nats_server

from telecine_contracts import subjects

PAGE = (Path(__file__).parents[3] / "docs" / "payments.md").read_text(encoding="utf-8")
SECRET = "the secret of the provider"
Handle = Callable[[bytes, str], int]


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    folder = tmp_path_factory.mktemp("payments")
    async with (
        nats_server(folder) as nats,
        gateway_environment(nats, folder) as environment,
        environment.credits(),
    ):
        yield environment


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(environment: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with environment.gateway() as gateway:
        yield gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin_client(environment: GatewayEnvironment, gateway: Gateway) -> AccountClient:
    return await environment.owner(gateway, "office", scopes=("admin",))


@pytest.fixture
def account() -> str:
    """An account of the test's own."""
    return f"account-{uuid4().hex}"


@pytest.fixture
def handle(gateway: Gateway, admin_client: AccountClient) -> Iterator[Handle]:
    with webhook(gateway, admin_client) as handle:
        yield handle


@contextmanager
def webhook(gateway: Gateway, admin_client: AccountClient) -> Iterator[Handle]:
    """The webhook on the page."""
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    module: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (
            ("GATEWAY", gateway.settings.public_url),
            ("KEY", admin_client.key.secret),
            ("WEBHOOK_SECRET", SECRET),
            ("NO_PROXY", "127.0.0.1"),
        ):
            environment.setenv(name, value)
        exec(compile(code, "docs/payments.md", "exec"), module)  # noqa: S102  the page of this repository
        yield module["handle"]
        module["telecine"].close()


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET) -> str:
    sent = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={sent},v1={digest}"


async def send(handle: Handle, account: str, kind: str, **data: Any) -> int:
    """The status of the response to the provider."""
    metadata = {"account": account, "credits": "500"}
    body = json.dumps({"type": kind, "data": data | {"metadata": metadata}}).encode()
    return await asyncio.to_thread(handle, body, signed(body))


async def deliver_webhook(handle: Handle, account: str, kind: str, **data: Any) -> int:
    """The status after all retries: the provider sends an event again as long as the response is a 503."""
    for _ in range(20):
        if (answer := await send(handle, account, kind, **data)) != 503:
            return answer
    return 503


async def balance(admin_client: AccountClient, account: str) -> tuple[int, int]:
    shown = (await admin_client.get(f"/api/admin/accounts/{account}")).json()
    return shown["entry"], shown["available"]


async def test_a_payment_becomes_credits_once(
    admin_client: AccountClient, handle: Handle, account: str
) -> None:
    paid = [await deliver_webhook(handle, account, "payment.succeeded", id="pay_1") for _ in range(3)]
    other = await deliver_webhook(handle, account, "payment.succeeded", id="pay_2")
    ignored = await send(handle, account, "payment.created", id="pay_3")

    assert (paid, other, ignored) == ([200] * 3, 200, 200)
    assert await balance(admin_client, account) == (2, 1000)


async def test_a_payment_with_any_description_is_credited(
    admin_client: AccountClient, handle: Handle, account: str
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
        await deliver_webhook(handle, account, "payment.succeeded", id=f"pay_{number}", description=text)
        for number, text in enumerate(descriptions)
    ]
    assert answers == [200] * len(descriptions)
    grants = (await admin_client.get(f"/api/admin/accounts/{account}?limit=100")).json()["grants"]["items"]
    reasons = {grant["reference"]: grant["reason"] for grant in grants}
    assert (reasons["pay_0"], reasons["pay_1"], reasons["pay_5"]) == ("tab here", "two lines", "x" * 500)


async def test_refunded_payment_takes_back_what_is_available(
    environment: GatewayEnvironment,
    gateway: Gateway,
    admin_client: AccountClient,
    handle: Handle,
    account: str,
) -> None:
    owner = await environment.owner(gateway, account)
    await deliver_webhook(handle, account, "payment.succeeded", id="pay_1")
    assert (await owner.generate()).status_code == 200

    answers = [
        await deliver_webhook(handle, account, "payment.refunded", id="re_1", payment="pay_1")
        for _ in range(2)
    ]
    unknown = await deliver_webhook(handle, account, "payment.refunded", id="re_2", payment="pay_unknown")

    assert (answers, unknown) == ([200, 200], 200)
    assert await balance(admin_client, account) == (3, 0)


async def test_wrong_signatures_are_refused(
    environment: GatewayEnvironment, handle: Handle, account: str
) -> None:
    body = json.dumps(
        {"type": "payment.succeeded", "data": {"id": "pay_1", "metadata": {"account": account}}}
    ).encode()
    for signature in (
        signed(body, secret="another secret"),
        signed(body, at=time.time() - 301),
        signed(body + b" "),
        "v1=",
        "",
    ):
        assert await asyncio.to_thread(handle, body, signature) == 400
    assert await environment.load(subjects.ledger(account)) == []


@pytest.mark.asyncio(loop_scope="function")
async def test_the_provider_sends_again_after_an_outage(
    nats: NatsServer, tmp_path: Path, account: str
) -> None:
    async with (
        gateway_environment(nats, tmp_path) as environment,
        environment.credits(),
        environment.gateway(answer_timeout=1) as gateway,
    ):
        admin_client = await environment.owner(gateway, "office", scopes=("admin",))
        with webhook(gateway, admin_client) as handle:
            nats.kill()
            during_outage = await send(handle, account, "payment.succeeded", id="pay_1")
            await nats.start()

            assert during_outage == 503
            for _ in range(400):
                if await send(handle, account, "payment.succeeded", id="pay_1") == 200:
                    break
            assert await send(handle, account, "payment.succeeded", id="pay_1") == 200


async def test_documented_requests_get_the_documented_answers(
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
