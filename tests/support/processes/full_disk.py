"""A disk that is full, for one process alone and without rights: it may write no further byte into any file."""

import contextlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["full_disk"]


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """While the block lasts every write of the process to a file fails; afterwards there is room again."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        # A supervisor may have restarted the process already.
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
