"""Which network addresses a result may be fetched from."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# `is_global` alone lets these through: they reach, or may reach, machines behind the public network.
_REFUSED_V4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
)
_REFUSED_V6 = (
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2002::/16"),  # 6to4: carries an IPv4 address
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("3fff::/20"),  # documentation
)
# All that is given out to the public; NAT64, mapped, site-local and multicast addresses lie outside.
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_PRIVATE_V4 = tuple(map(IPv4Network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_PRIVATE_V6 = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))


def may_dial(address: str, *, allow_private: bool = False) -> bool:
    """Whether the literal address is public; `allow_private` adds loopback and private ranges, nothing else."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return _is_public_v4(ip) or (allow_private and any(ip in net for net in _PRIVATE_V4))
    if ip.scope_id is not None:
        return False
    return _is_public_v6(ip) or (allow_private and any(ip in net for net in _PRIVATE_V6))


def _is_public_v4(ip: IPv4Address) -> bool:
    special = ip.is_multicast or ip.is_reserved or any(ip in net for net in _REFUSED_V4)
    return ip.is_global and not special


def _is_public_v6(ip: IPv6Address) -> bool:
    special = ip.is_multicast or any(ip in net for net in _REFUSED_V6)
    return ip in _GLOBAL_UNICAST_V6 and ip.is_global and not special
