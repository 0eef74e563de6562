"""The RFC 6962 Merkle tree that checkpoints sign: one leaf per message of the stream, in sequence.

Leaf number `n` (from 0) is the message of stream sequence `n + 1`, in the form of `entry_bytes`: subject, headers and
body. Headers that begin with ``Nats-`` are left out: they belong to the transport, and a copy or a restored stream may
have others.

Headers are used as nats-py parses them: in the order in which they were sent, values without surrounding spaces, the
last value of a repeated name, and without lines that are not headers. Telecine's services send that form.
"""

from collections.abc import Iterable
from hashlib import sha256

from .envelope import BadEnvelope

EMPTY_ROOT = sha256().digest()
"""The root of a tree without leaves (RFC 6962, 2.1)."""
_TRANSPORT = "nats-"


def entry_bytes(subject: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """The bytes of one message that are hashed for its leaf: subject, headers as sent, blank line, body.

    Lines end with CR LF. Raises BadEnvelope for a subject or header that contains CR LF: two messages could then have
    the same bytes. NATS clients cannot read such a message from a stream, so readers need not handle this error.
    """
    lines = [subject, *(f"{name}: {value}" for name, value in headers if is_stated(name)), "", ""]
    head = "\r\n".join(lines)
    if head.count("\r\n") != len(lines) - 1:
        raise BadEnvelope("a header has a line break")
    return head.encode() + body


def is_stated(header: str) -> bool:
    """Whether a header of this name is part of the event, and so of its leaf."""
    return not header.lower().startswith(_TRANSPORT)


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf (RFC 6962, 2.1): the prefix prevents a leaf from being taken for a node."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 6962, 2.1)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """An append-only tree, stored as the roots of its perfect subtrees, largest first: at most 64 hashes."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """`peaks` are those of a tree of `size` leaves. Raises ValueError if they cannot be."""
        self.size = size
        self._peaks = list(peaks)
        if size < 0 or len(self._peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves does not have {len(self._peaks)} peaks")
        if any(len(peak) != len(EMPTY_ROOT) for peak in self._peaks):
            raise ValueError(f"a peak is a SHA-256, {len(EMPTY_ROOT)} bytes")

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, from which the tree can be continued."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Append the hash of the next leaf."""
        peaks, size = self._peaks, self.size
        while size & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root hash of the tree as it is now."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root
