"""The system in containers, several of every service. `make test-compose` starts it and runs this."""

import asyncio
import json
import re
import secrets
import ssl
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import nats.errors
import pytest
from tests.support.cluster.generation_load import GenerationLoad, demand
from tests.support.eventually import eventually_async
from tests.support.processes.compose import ROOT, SERVICES, Compose
from tests.support.processes.full_disk import full_disk
from tests.support.security.certificates import Authority

from telecine_chassis.nats.connection import connect
from telecine_jetstream.identity import NatsIdentity

GRANT = 1_000_000
PRICE = 40
"""What the smallest video costs."""


@pytest.fixture(scope="module")
def system() -> Compose:
    return Compose()


@dataclass(frozen=True)
class Client:
    """An account of its own, with a key."""

    account: str
    key: str

    async def credits(self, gateway: str) -> dict[str, int]:
        async with httpx.AsyncClient(headers={"X-API-Key": self.key}, trust_env=False) as http:
            answer = (await http.get(f"{gateway}/api/credits")).raise_for_status().json()
        return {side: answer[side] for side in ("available", "held")}


@pytest.fixture
async def client(system: Compose) -> Client:
    account = f"a{secrets.token_hex(4)}"
    system.telecine("credits", "grant", account, str(GRANT), "--reference", "test")
    found = re.search(r"tk_\w+", system.telecine("keys", "create", account))
    assert found is not None
    client = Client(account, found[0])
    for gateway in system.addresses("gateway", 8000):  # each has to hear of the key

        async def knows(gateway: str = gateway) -> bool:
            try:
                return await client.credits(gateway) == {"available": GRANT, "held": 0}
            except httpx.HTTPStatusError:
                return False

        await eventually_async(knows, what=f"{gateway} does not know the key")
    return client


async def assert_each_once(system: Compose, client: Client, asked: GenerationLoad) -> None:
    """Whatever was accepted was delivered, submitted once and paid for once; the auditor finds nothing wrong."""
    assert Counter(asked.ended.values()) == {"completed": len(asked.accepted)}
    paid = {"available": GRANT - PRICE * len(asked.accepted), "held": 0}
    for gateway in system.addresses("gateway", 8000):

        async def settled(gateway: str = gateway) -> bool:
            return await client.credits(gateway) == paid

        await eventually_async(settled, within=20, what=f"{gateway} does not say {paid}")
    marks = system.submissions()
    counts = {each: sum(each.replace("-", "") in mark for mark in marks) for each in asked.accepted}
    assert counts == dict.fromkeys(asked.accepted, 1)
    assert system.audit("verify", "--key", "/run/secrets/checkpoint_key_pub")["breaches"] == []


async def test_all_replicas_take_part_and_nothing_is_done_twice(system: Compose, client: Client) -> None:
    gateways = system.addresses("gateway", 8000)
    assert len(gateways) > 1
    async with demand(gateways, client.key, clients=8) as asked:
        await asked.more_ended(30, within=120)

    await assert_each_once(system, client, asked)
    assert set(asked.by_gateway) == set(gateways)
    for consumer in ("credits-debit", "generation-submit", "storage-copy"):
        shares = system.handled(consumer)
        assert len(shares) > 1
        assert min(shares) >= sum(shares) / len(shares) / 4, f"{consumer}: {shares}"


async def test_every_container_is_replaced_under_load_and_no_request_fails(
    system: Compose, client: Client
) -> None:
    before = {service: set(system.ids(service)) for service in SERVICES}
    proxy = system.addresses("proxy", 8080)
    async with demand(proxy, client.key, clients=4) as asked:
        await asyncio.to_thread(system.call, "deploy/roll")
        await asked.more_ended(1)

    after = {service: set(system.ids(service)) for service in SERVICES}
    assert {name: len(ids) for name, ids in after.items()} == {name: len(ids) for name, ids in before.items()}
    assert all(before[service].isdisjoint(after[service]) for service in SERVICES)
    await assert_each_once(system, client, asked)


async def test_any_container_may_be_killed_at_any_time(system: Compose, client: Client) -> None:
    proxy = system.addresses("proxy", 8080)
    async with demand(proxy, client.key, clients=4, patient=True) as asked:
        for service in (*SERVICES, "nats", "postgres", "s3", "emulator"):
            killed = system.ids(service)[0]
            await asyncio.to_thread(system.call, "docker", "kill", killed)
            await asyncio.to_thread(system.call, "docker", "start", killed)
            await asked.more_ended(1)

    await assert_each_once(system, client, asked)


@pytest.fixture
def certificate(system: Compose, tmp_path: Path) -> Iterator[ssl.SSLContext]:
    """The proxy has a certificate for the duration of a test; the SSL context trusts its authority."""
    authority = Authority(tmp_path)
    file = ROOT / "deploy" / "certificates" / "test.pem"
    file.write_text("".join(part.read_text() for part in authority.issue("localhost")))
    try:
        system.call("docker", "compose", "kill", "--signal", "HUP", "proxy")
        yield ssl.create_default_context(cafile=authority.certificate)
    finally:
        file.unlink()
        system.call("docker", "compose", "kill", "--signal", "HUP", "proxy")


async def test_who_brings_a_certificate_gets_https(system: Compose, certificate: ssl.SSLContext) -> None:
    [address] = system.addresses("proxy", 8443)
    url = address.replace("http:", "https:")
    name = {"sni_hostname": "localhost"}

    async with httpx.AsyncClient(verify=certificate, trust_env=False) as http:

        async def ready() -> bool:
            try:
                answer = await http.get(f"{url}/readyz", extensions=name)
            except httpx.TransportError:  # the new process has not taken over yet
                return False
            return answer.status_code == 200

        await eventually_async(ready, what="no answer over TLS")
        for path, status in (("/readyz", 200), ("/nothing", 404)):
            answer = await http.get(f"{url}{path}", extensions=name)
            assert (answer.status_code, answer.headers["strict-transport-security"]) == (
                status,
                "max-age=31536000",
            )
        plain = await http.get(f"{system.addresses('proxy', 8080)[0]}/readyz")
        assert "strict-transport-security" not in plain.headers


async def test_nats_is_started_again_when_it_could_not_write_and_there_is_room(
    system: Compose, client: Client
) -> None:
    [nats] = system.containers("nats")
    body = {"prompt": "on a full disk", "resolution": "480p", "duration": 2}
    headers = {"X-API-Key": client.key, "Idempotency-Key": "full"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=30) as http:
        url = f"{system.addresses('proxy', 8080)[0]}/api/video/generate"
        try:
            with full_disk(nats["State"]["Pid"]):
                assert (await http.post(url, json=body)).status_code == 503
        except PermissionError:
            pytest.skip("only root may fill the disk of a process in a container")

        async def works() -> bool:
            return (await http.post(url, json=body)).status_code == 200

        await eventually_async(works, within=60, what="NATS can't write")
    assert system.containers("nats")[0]["State"]["StartedAt"] != nats["State"]["StartedAt"]


async def test_another_team_subscribes_as_the_page_says(system: Compose, client: Client) -> None:
    """docs/subscribing.md, "On Compose"."""
    page = (ROOT / "docs" / "subscribing.md").read_text(encoding="utf-8").partition("\n## On Compose\n")[2]
    name = f"team-{client.account}"
    commands = page.partition("```sh\n")[2].partition("```")[0].replace("my-team", name)
    function = commands.partition("\n}\n")[0] + "\n}\n"
    gateway = system.addresses("gateway", 8000)[0]
    async with httpx.AsyncClient(headers={"X-API-Key": client.key}, trust_env=False) as http:
        body = {"prompt": "for another team", "resolution": "480p", "duration": 2}
        (await http.post(f"{gateway}/api/video/generate", json=body, timeout=30)).raise_for_status()
    system.call("bash", "-euc", commands)
    try:
        seed = ROOT / "deploy" / "secrets" / "nats" / f"{name}.nk"
        assert seed.stat().st_mode & 0o777 == 0o600
        url = system.addresses("nats", 4222)[0].replace("http:", "nats:")

        async def takes() -> bool:
            try:
                connection = await connect(url, name, access=NatsIdentity(nkey_seed=seed))
            except nats.errors.Error:  # not reloaded yet
                return False
            events = await connection.jetstream().pull_subscribe_bind(name, "VIDEO")
            [event] = await events.fetch(1, timeout=10)
            await connection.close()
            return event.subject.startswith("video.")

        await eventually_async(takes, within=30, what="no event for the subscriber")
    finally:
        remove = f"{function}subscribers remove {name}\ndocker compose kill --signal HUP nats"
        system.call("bash", "-euc", remove)


@pytest.mark.parametrize("service", [*SERVICES, "emulator"])
def test_a_container_can_do_nothing_but_its_work(system: Compose, service: str) -> None:
    for container in system.containers(service):
        host, config = container["HostConfig"], container["Config"]
        assert config["User"] == "65532:65532"
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False)
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"] > 0
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert container["State"]["Health"]["Status"] == "healthy"


def test_third_party_containers_are_restricted(system: Compose) -> None:
    own_user = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"}
    for service, allowed in (("nats", set[str]()), ("postgres", own_user), ("s3", set[str]())):
        [container] = system.containers(service)
        host = container["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False)
        assert {f"CAP_{name.removeprefix('CAP_')}" for name in host["CapAdd"] or ()} == allowed
        assert host["SecurityOpt"] == ["no-new-privileges:true"]


def test_nats_monitoring_is_internal(system: Compose) -> None:
    for container in system.ids("gateway"):
        for name in ("nats", "nats-monitoring"):
            reach = ("docker", "exec", container, "bash", "-c", f"exec 3<>/dev/tcp/{name}/8222")
            with pytest.raises(AssertionError):
                system.call(*reach)


@pytest.mark.parametrize("service", [*SERVICES, "emulator", "operator"])
def test_no_secret_stands_in_an_image_or_in_what_the_engine_tells(system: Compose, service: str) -> None:
    files = [file for file in (ROOT / "deploy" / "secrets").rglob("*") if file.is_file()]
    kept = [file.read_text().strip() for file in files if file.suffix not in (".conf", ".json", ".pub")]
    assert len(kept) > 10
    told = json.dumps(system.containers(service)) if service != "operator" else ""
    told += system.call("docker", "image", "inspect", f"telecine/{service}")
    told += system.call("docker", "history", "--no-trunc", f"telecine/{service}")
    assert [secret for secret in kept if secret in told] == []


@pytest.mark.parametrize(
    ("service", "absent"),
    [
        ("gateway", {"boto3"}),
        ("credits", {"fastapi", "httpx"}),
        ("generation", {"fastapi", "boto3", "botocore"}),
        ("storage", {"fastapi"}),
    ],
)
def test_an_image_holds_what_its_service_needs(system: Compose, service: str, absent: set[str]) -> None:
    program = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    command = ("docker", "run", "--rm", "--entrypoint", "python", f"telecine/{service}", "-c", program)
    installed = {name.lower() for name in system.call(*command).split()}
    others = {f"telecine-{each}" for each in (*SERVICES, "emulator", "auditor") if each != service}
    assert installed & (absent | others | {"pip", "pytest", "telecine"}) == set()
    assert f"telecine-{service}" in installed


@pytest.mark.parametrize("service", SERVICES)
def test_container_logs_are_json_lines(system: Compose, service: str) -> None:
    for container in system.ids(service):
        lines = system.logged(container)
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines)
