"""The client's address behind proxies."""

import pytest

from telecine_gateway.rate_limits.addresses import ClientAddresses

TRUSTED = ("10.0.0.0/8", "192.0.2.7", "2001:db8::/48")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
        ("10.1.2.3", (), "10.1.2.3"),
        ("10.1.2.3", ("198.51.100.1",), "198.51.100.1"),
        ("10.1.2.3", ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),
        ("10.1.2.3", ("6.6.6.6", "198.51.100.1, 192.0.2.7"), "198.51.100.1"),
        ("10.1.2.3", ("10.9.9.9",), "10.9.9.9"),
        ("10.1.2.3", ("not an address",), "10.1.2.3"),
        ("10.1.2.3", ("198.51.100.1, nonsense, 192.0.2.7",), "192.0.2.7"),
        ("::ffff:10.1.2.3", ("198.51.100.1",), "198.51.100.1"),
        ("2001:db8::1", ("2a00:1:2:3:4:5:6:7",), "2a00:1:2:3::/64"),
        ("fe80::1%eth0", (), "fe80::/64"),
        ("", (), ""),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: tuple[str, ...], client: str) -> None:
    assert ClientAddresses(TRUSTED).find(peer, forwarded) == client


def test_a_proxy_that_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="proxy"):
        ClientAddresses(("proxy.example.com",))
