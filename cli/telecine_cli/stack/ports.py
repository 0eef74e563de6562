"""Loopback ports for the processes that the command line starts."""

import secrets
import socket
from collections.abc import Iterable

from telecine_cli.errors import NoFreePort

LOOPBACK = "127.0.0.1"

# Below the ranges from which Linux (32768) and macOS (49152) take the local end of outgoing
# connections: a port chosen here can't be taken by a client between the choice and the listen.
_FIRST, _LAST = 20_000, 32_000
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now (TIME_WAIT does not count as taken)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(avoid: Iterable[int] = ()) -> int:
    """A free loopback port that is not in `avoid`.

    Raises:
        NoFreePort: when 200 random tries found none.
    """
    taken = frozenset(avoid)
    for _ in range(_ATTEMPTS):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if port not in taken and is_free(port):
            return port
    raise NoFreePort(f"no free port on {LOOPBACK} between {_FIRST} and {_LAST}")


def free_ports(count: int) -> list[int]:
    """`count` different free loopback ports; raises NoFreePort as `free_port` does."""
    chosen: list[int] = []
    for _ in range(count):
        chosen.append(free_port(avoid=chosen))
    return chosen


def allocate_ports(wanted: dict[str, int], names: Iterable[str]) -> dict[str, int]:
    """A port for every name: the remembered one while it is still free, else a new one.

    Other names in `wanted` keep their port, so that it is not given to a new name.
    """
    ports = dict(wanted)
    for name in names:
        if name not in ports or not is_free(ports[name]):
            ports[name] = free_port(avoid=ports.values())
    return ports
