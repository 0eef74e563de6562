"""Limits of an HTTP server, per client and for all clients together."""

import resource
from dataclasses import dataclass, replace

__all__ = ["ADMIN_LIMITS", "HttpLimits", "descriptor_limit"]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Times in seconds, sizes in bytes. The defaults are those of the gateway's settings."""

    connections: int = 1000
    """Open connections; at the limit, the one that has been idle longest is closed for a new one."""
    descriptor_share: float = 1 / 3
    """Share of the process's file descriptors for these connections; as many again may be in the listen queue."""
    head_bytes: int = 16 * 1024
    """Request line and header fields together; trailer fields of a chunked body are limited to the same size."""
    head_timeout: float = 20
    """For a complete header, from its first byte or from the start of the connection."""
    idle_timeout: float = 20
    """Between two requests."""
    progress_timeout: float = 30
    """For the client to read at least one more byte of a response."""
    drain_bytes: int = 16 * 1024 * 1024
    """Of a body that the response did not wait for: it is read and discarded so that the client sees the response."""
    drain_timeout: float = 10
    """For reading such a body."""

    def within(self, descriptors: int) -> "HttpLimits":
        """The limits for a process that may open so many files, with room for its own connections."""
        return replace(
            self, connections=max(2, min(self.connections, int(descriptors * self.descriptor_share)))
        )


ADMIN_LIMITS = HttpLimits(connections=64, descriptor_share=1 / 16)
"""For the port that serves health and metrics."""


def descriptor_limit() -> int:
    """Files, sockets included, that this process may have open (RLIMIT_NOFILE)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
