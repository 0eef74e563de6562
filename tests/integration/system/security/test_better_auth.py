"""Users of a real Better Auth server make videos, also while its keys are rotated; and those of the example web app."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from tests.support.environments.gateway import Gateway, gateway_environment
from tests.support.environments.saga import Emulator, action_names, is_answering, saga
from tests.support.eventually import eventually, eventually_async
from tests.support.http_servers.web_app import WebApp, better_auth, example_web_app, needs_node
from tests.support.servers.instances import NatsServer, S3Server

from telecine_cli.stack.ports import free_port

pytestmark = [pytest.mark.server, needs_node]

BODY = {"prompt": "a lighthouse", "resolution": "480p", "duration": 2}
ROTATIONS = 8
REQUESTS = 50
"""Between two rotations, at least."""
USERS = 4


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[WebApp]:
    folder = tmp_path / "better-auth"
    folder.mkdir()
    async with better_auth(folder, free_port()) as app:
        yield app


async def test_user_of_better_auth_signs_up_and_makes_a_video(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path, issuer: WebApp
) -> None:
    gateway = {
        "jwks_url": issuer.jwks_url,
        "jwt_issuer": issuer.url,
        "jwt_audiences": (issuer.url,),
        "signup_credits": 100,
    }
    async with (
        saga(nats, s3, emulator, tmp_path, overrides={"gateway": gateway}) as environment,
        issuer.sign_up() as user,
    ):
        await environment.start("gateway")
        made = await make_video(environment.gateway_url, await user.token())

        assert await environment.closed(user.user, made) == ["debited", "settled"]
        assert action_names(await environment.ledger(user.user)) == ["granted", "debited", "settled"]


async def test_user_of_the_example_makes_a_video_through_its_page(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    gateway = {
        "jwks_url": f"{url}/api/auth/jwks",
        "jwt_issuer": url,
        "jwt_audiences": ("telecine",),
        "signup_credits": 100,
    }
    folder = tmp_path / "web-app"
    folder.mkdir()
    async with saga(nats, s3, emulator, tmp_path, overrides={"gateway": gateway}) as environment:
        await environment.start("gateway")
        async with example_web_app(folder, port, environment.gateway_url) as app, app.sign_up() as user:
            made = await make_video(f"{app.url}/telecine", await user.token())
            page = await user.http.get("/")

            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert 'src="page.js"' in page.text
            assert await environment.closed(user.user, made) == ["debited", "settled"]


async def make_video(url: str, token: str) -> str:
    """Follow a video until it is completed, and download it."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30) as http:
        await is_answering(http)
        made = await http.post("/api/video/generate", json=BODY)
        assert made.status_code == 200, made.text
        generation = str(made.json()["id"])

        found: dict[str, Any] = {}

        async def is_completed() -> bool:
            ids = {"taskId": generation, "historyId": generation}
            found.update((await http.get("/api/video/status", params=ids)).json())
            return bool(found["status"] == "completed")

        await eventually_async(is_completed, within=30, what="the video is not completed")
        video = await http.get(found["videoUrl"])
        assert video.content[4:8] == b"ftyp"
        return generation


async def test_keys_are_rotated_under_load_without_a_refusal(
    nats: NatsServer, tmp_path: Path, issuer: WebApp
) -> None:
    settings = {"jwks_url": issuer.jwks_url, "jwt_issuer": issuer.url, "jwt_audiences": (issuer.url,)}
    statuses: Counter[int] = Counter()
    key_ids: set[str] = set()
    rotated = asyncio.Event()
    async with (
        gateway_environment(nats, tmp_path) as environment,
        environment.credits(),
        environment.gateway(**settings) as one,
        environment.gateway(**settings) as other,
    ):

        async def use(gateway: Gateway, other: Gateway) -> None:
            """Requests with new tokens and with those from before a rotation."""
            async with issuer.sign_up() as user:
                tokens = [await user.token()]
                while not rotated.is_set():
                    tokens.append(await user.token())
                    key_ids.add(jwt.get_unverified_header(tokens[-1])["kid"])
                    for token in (tokens[-1], tokens[0]):
                        headers = {"Authorization": f"Bearer {token}"}
                        for each in (gateway, other):
                            answered = await each.http.post("/api/video/generate", json=BODY, headers=headers)
                            statuses[answered.status_code] += 1

        def is_used(keys: int, requests: int) -> bool:
            return len(key_ids) > keys and statuses.total() >= requests + REQUESTS

        async def rotate() -> None:
            try:
                for _ in range(ROTATIONS):
                    before = len(key_ids), statuses.total()
                    await issuer.rotate()
                    await eventually(partial(is_used, *before), within=30, what="no new key is used")
            finally:
                rotated.set()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(USERS):
                tasks.create_task(use(one, other))
            tasks.create_task(rotate())
    # Without credits the answer is 402: it comes from the ledger, after the token was accepted.
    assert set(statuses) == {402}
    assert len(key_ids) >= ROTATIONS
