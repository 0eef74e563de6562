"""Hosts and addresses: this machine, a domain, the public Internet.

A host is judged by its parsed address or by whole labels of its name, never by how its text begins or ends.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

__all__ = ["is_in_domain", "is_loopback", "is_nats_url", "is_public", "may_connect"]

# `is_global` alone accepts these, but they reach, or may reach, machines behind the public network.
_SPECIAL_V4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
)
_SPECIAL_V6 = (
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4: carries an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)
# What is assigned to the public; NAT64, IPv4-mapped, site-local and multicast addresses are outside.
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_PRIVATE_V4 = tuple(map(IPv4Network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_PRIVATE_V6 = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))


def is_loopback(host: str) -> bool:
    """Whether `host`, as `urlsplit(…).hostname` gives it, is certainly this machine. No name is resolved.

    `localhost` is (RFC 6761); any other name may lead elsewhere, `127.example.com` too.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host.lower() == "localhost"


def is_in_domain(host: str, domain: str) -> bool:
    """Whether the name is the domain, or a name below it: `notexample.com` is not in `example.com`."""
    labels, wanted = _labels(host), _labels(domain)
    return labels[-len(wanted) :] == wanted


def is_nats_url(url: str) -> bool:
    """Whether a URL names a NATS server: nats:// or tls://, a host, and a port from 1 to 65535 or none."""
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid address or port
        return False


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to a machine on the public Internet."""
    if isinstance(address, IPv4Address):
        special = address.is_reserved or any(address in network for network in _SPECIAL_V4)
        return address.is_global and not address.is_multicast and not special
    special = address.is_multicast or any(address in network for network in _SPECIAL_V6)
    # A scope id names an interface of this machine.
    return address.scope_id is None and address in _GLOBAL_UNICAST_V6 and address.is_global and not special


def may_connect(address: str, *, allow_private: bool = False) -> bool:
    """Whether a URL from outside may lead to this literal address: a public one.

    `allow_private` adds loopback and private ranges, but no link-local address, where clouds serve credentials.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if is_public(ip) or not allow_private:
        return is_public(ip)
    if isinstance(ip, IPv4Address):
        return any(ip in network for network in _PRIVATE_V4)
    return ip.scope_id is None and any(ip in network for network in _PRIVATE_V6)


def _labels(name: str) -> list[str]:
    return name.lower().strip(".").split(".")
