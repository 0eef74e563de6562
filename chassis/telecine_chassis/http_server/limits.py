"""Limits of an HTTP server: what one client, and all of them together, may take of it."""

import resource
from dataclasses import dataclass, replace

__all__ = ["ADMIN_LIMITS", "HttpLimits", "descriptor_limit"]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Times in seconds, sizes in bytes. The defaults are those of the gateway's settings."""

    connections: int = 1000
    """Open connections; at the limit, the one that has waited longest for a request makes room."""
    descriptor_share: float = 1 / 3
    """Part of the process's file descriptors for these connections; as many again may be in the listen queue."""
    head_bytes: int = 16 * 1024
    """Request line and header fields together; trailer fields of a chunked body are limited to the same size."""
    head_timeout: float = 20
    """For a head, from its first byte or from the connection on."""
    idle_timeout: float = 20
    """Between two requests."""
    progress_timeout: float = 30
    """For the client to take at least one more byte of a response."""
    drain_bytes: int = 16 * 1024 * 1024
    """Of a body that the response did not wait for, read and dropped so that the client sees the response."""
    drain_timeout: float = 10
    """For that."""

    def within(self, descriptors: int) -> "HttpLimits":
        """The same for a process that may open that many files: room is left for its own connections."""
        return replace(
            self, connections=max(2, min(self.connections, int(descriptors * self.descriptor_share)))
        )


ADMIN_LIMITS = HttpLimits(connections=64, descriptor_share=1 / 16)
"""For the port of health and metrics."""


def descriptor_limit() -> int:
    """Files, sockets included, that this process may have open (RLIMIT_NOFILE)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
