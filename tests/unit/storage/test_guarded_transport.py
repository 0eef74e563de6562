"""Results are fetched from public addresses only."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpcore
import pytest

from telecine_chassis.network import may_connect
from telecine_storage.source.guarded_transport import AddressRefused, GuardedBackend
from telecine_storage.source.http import HttpSource, SourcePolicy
from telecine_storage.source.port import SourceNotReady, SourceRefused

PUBLIC = "93.184.216.34"
REFUSED = [
    "0.0.0.0",  # noqa: S104 - an address to refuse, not to listen on
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.216.34",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "2600::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
]


@pytest.mark.parametrize("address", REFUSED)
def test_non_public_addresses_are_refused(address: str) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert may_connect(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "172.20.0.2", "192.168.1.1", "fd00::1"])
def test_private_addresses_can_be_allowed(address: str) -> None:
    assert may_connect(address, allow_private=True)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "0.1.2.3", "224.0.0.1", "64:ff9b::1", "::"]
)
def test_special_addresses_are_refused_even_with_allow_private(address: str) -> None:
    assert not may_connect(address, allow_private=True)


class Wire(httpcore.AsyncNetworkBackend):
    """A network without hosts; records the addresses of connection attempts."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        raise httpcore.ConnectError("unreachable")


class Names:
    """A resolver that returns the next answer at each call, the last one repeatedly."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def dial(names: Names, wire: Wire, timeout: float | None = None) -> None:
    backend = GuardedBackend(resolve=names, dialler=wire)
    await backend.connect_tcp("videos.example", 443, timeout=timeout)


async def test_all_addresses_of_a_name_must_be_public() -> None:
    wire = Wire()
    with pytest.raises(AddressRefused):
        await dial(Names([PUBLIC, "2606:4700::1111", "10.0.0.1"]), wire)
    assert wire.dialled == []


async def test_connections_use_the_checked_address() -> None:
    """DNS rebinding: a name that becomes private after the check is not resolved again."""
    names, wire = Names([PUBLIC, "1.1.1.1"], ["127.0.0.1"]), Wire()
    with pytest.raises(httpcore.ConnectError):
        await dial(names, wire)
    assert (names.asked, wire.dialled) == (1, [(PUBLIC, 443), ("1.1.1.1", 443)])


async def test_every_new_connection_is_checked() -> None:
    names, wire = Names([PUBLIC], ["127.0.0.1"]), Wire()
    with pytest.raises(httpcore.ConnectError):
        await dial(names, wire)
    with pytest.raises(AddressRefused):
        await dial(names, wire)


async def test_a_name_without_addresses_is_a_connect_error() -> None:
    with pytest.raises(httpcore.ConnectError):
        await dial(Names([]), Wire())


async def test_a_hanging_resolver_times_out() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(httpcore.ConnectTimeout):
        await GuardedBackend(resolve=never).connect_tcp("videos.example", 443, timeout=0.01)


async def test_local_sockets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AddressRefused):
        await GuardedBackend().connect_unix_socket(str(tmp_path / "socket"))


async def refusal(url: str, rules: SourcePolicy | None = None, names: Names | None = None) -> str:
    """The reason why the URL is refused; uses the real resolver unless `names` is given."""
    rules = rules or SourcePolicy()
    source = HttpSource(rules, resolve=names) if names else HttpSource(rules)
    try:
        with pytest.raises(SourceRefused) as refused:
            async with source.open(url, max_bytes=1000):
                pytest.fail("the URL was opened")
    finally:
        await source.aclose()
    return refused.value.reason


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",  # noqa: S104
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "127。0。0。1",
        "169.254.169.254",
        "[fe80::1]",
    ],
)
async def test_every_spelling_of_a_local_address_is_refused(host: str) -> None:
    assert "not public" in await refusal(f"https://{host}/secret")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://videos.example/v.mp4", "https"),
        ("file:///etc/passwd", "https"),
        ("ftp://videos.example/v.mp4", "https"),
        ("//videos.example/v.mp4", "https"),
        ("https://user:secret@videos.example/v.mp4", "credentials"),
        ("https://videos.example:8443/v.mp4", "port"),
        ("https:///v.mp4", "host"),
        ("https://videos.example:port/v.mp4", "malformed"),
        ("https://\0/", "malformed"),
    ],
)
async def test_forbidden_urls_are_refused(url: str, why: str) -> None:
    names = Names([PUBLIC])
    assert why in await refusal(url, names=names)
    assert names.asked == 0


@pytest.mark.parametrize(
    "host", ["example.com", "volces.com.example.com", "evilvolces.com", "volces.com@example.com"]
)
async def test_hosts_outside_the_allow_list_are_refused(host: str) -> None:
    rules = SourcePolicy(hosts=(".volces.com", ".bytepluses.com"))
    assert await refusal(f"https://{host}/v.mp4", rules, Names([PUBLIC]))


@pytest.mark.parametrize("host", ["a.tos-cn-beijing.volces.com", "VOLCES.com", "x.bytepluses.com."])
async def test_hosts_on_the_allow_list_are_allowed(host: str) -> None:
    """They pass the list and fail at their address, which is private here."""
    rules = SourcePolicy(hosts=(".volces.com", "bytepluses.com"))
    assert "not public" in await refusal(f"https://{host}/v.mp4", rules, Names(["10.0.0.1"]))


async def test_an_unresolvable_host_is_temporary() -> None:
    source = HttpSource(SourcePolicy(), resolve=Names([]))
    with pytest.raises(SourceNotReady):
        async with source.open("https://videos.example/v.mp4", max_bytes=1000):
            pytest.fail("the URL was opened")
    await source.aclose()


async def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(httpcore.ConnectError):
        await GuardedBackend().connect_tcp("x" * 64 + ".example", 443)
