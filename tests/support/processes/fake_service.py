"""A process that starts, becomes ready and stops like a service, and does nothing else.

Run as a program: NAME PORT TRACE. Appends `NAME up` and `NAME down` to the file TRACE; /readyz answers 200.
"""

import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def main() -> None:
    name, port, trace = sys.argv[1:]

    def note(what: str) -> None:
        with Path(trace).open("a", encoding="utf-8") as file:
            file.write(f"{name} {what}\n")

    def stop(number: int, frame: FrameType | None) -> None:
        note("down")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    with HTTPServer(("127.0.0.1", int(port)), Ready) as server:
        note("up")
        server.serve_forever()


if __name__ == "__main__":
    main()
