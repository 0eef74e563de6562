"""The address of a client: the connection's, or what a trusted proxy says in X-Forwarded-For. Pure."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["ClientAddresses"]

IPV6_PREFIX = 64
"""Bits that tell two clients apart: a single one usually has 64 bits of addresses."""
_CACHED = 4096


class ClientAddresses:
    """`trusted`: addresses and networks of proxies. Raises ValueError for what is neither."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = [ip_network(each) for each in trusted]
        self.find = lru_cache(_CACHED)(self._find)
        """The client's address, of the connection's other end and the values of X-Forwarded-For."""

    @property
    def reads_header(self) -> bool:
        """Whether any proxy is trusted, so that X-Forwarded-For matters."""
        return bool(self._trusted)

    def _find(self, peer: str, forwarded: tuple[str, ...]) -> str:
        found = _canonical(peer)
        # Each proxy appends the address it was called from, so what is behind the first untrusted one may be made up.
        for address in reversed([each.strip() for value in forwarded for each in value.split(",")]):
            if not _is_in(found, self._trusted):
                break
            if not (next_ := _canonical(address)):
                break
            found = next_
        return _client(found)


def _canonical(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _is_in(text: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return bool(text) and any(ip_address(text) in network for network in networks)


def _client(text: str) -> str:
    return str(ip_network((text.partition("%")[0], IPV6_PREFIX), strict=False)) if ":" in text else text
