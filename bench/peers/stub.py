"""An upstream that answers every POST at once, for peers that call a provider: too light to be the bottleneck."""

import asyncio
import sys

_BODY = (
    b'{"id": "video_1", "object": "video", "model": "bench", "status": "queued", "progress": 0,'
    b' "created_at": 1764590000, "seconds": "4", "size": "720x1280"}'
)
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_BODY),
    _BODY,
)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
            fields = {name: value.strip() for name, _, value in lines}
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
            writer.write(_ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(port: int) -> None:
    """Serve until the process is killed."""
    server = await asyncio.start_server(_serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
