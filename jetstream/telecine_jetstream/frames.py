"""Reads messages from the bytes of a connection, as they arrive from the server.

nats-py reads a connection in a task of its own, which the event loop has to wake, and parses with a coroutine for each
message. Here a message whose subscription has a listener is handed over at once; what is left is for nats-py.
"""

from collections.abc import Callable, Mapping

__all__ = ["FrameReader", "Listener"]

Listener = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes subject, reply subject, header block and body; reply subject and header block are empty without one."""
MAX_CONTROL_LINE = 4096
"""The server's limit; what is longer is no control line."""
_END = b"\r\n"


class FrameReader:
    """`listeners` are those of the subscriptions, by their ids. An incomplete message waits for the rest of it."""

    def __init__(self, listeners: Mapping[int, Listener]) -> None:
        self._listeners = listeners
        self._partial = b""

    def feed(self, data: bytes) -> bytes:
        """Hand over the messages at the beginning of `data`. The rest, from the first one without a listener on."""
        if self._partial:
            data, self._partial = self._partial + data, b""
        at, length = 0, len(data)
        while at < length:
            line_end = data.find(_END, at)
            if line_end < 0:
                if length - at > MAX_CONTROL_LINE:
                    return data[at:]
                self._partial = data[at:]
                return b""
            match data[at:line_end].split(b" "):
                case [b"HMSG", subject, sid, reply, head, total]:
                    pass
                case [b"HMSG", subject, sid, head, total]:
                    reply = b""
                case [b"MSG", subject, sid, reply, total]:
                    head = b"0"
                case [b"MSG", subject, sid, total]:
                    reply, head = b"", b"0"
                case _:
                    return data[at:]
            listener = self._listeners.get(int(sid))
            if listener is None:
                return data[at:]
            begin = line_end + 2
            end = begin + int(total)
            if end + 2 > length:
                self._partial = data[at:]
                return b""
            body = begin + int(head)
            listener(subject, reply, data[begin:body], data[body:end])
            at = end + 2
        return b""
