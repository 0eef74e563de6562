"""Every service, every secret: one out of an example ends the start, named and not shown; a file serves as well."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.telemetry.metric_catalog import SERVICES

from telecine_chassis.settings.secrets import is_secret
from telecine_credits.checkpoints.key import Signer

UNREACHABLE = "http://127.0.0.1:9"
REQUIRED_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "gateway": {
        "s3_endpoint": UNREACHABLE,
        "s3_access_key": "reader",
        "s3_secret_key": "reading for the tests",
        "content_secret": "links of the tests 7mQ2vX9rTb4K",
        "callback_secret": "callbacks of the tests Zk3Jw8YdPq6N",
    },
    "credits": {},
    "generation": {"provider_api_key": "a key of the tests"},
    "storage": {
        "s3_endpoint": UNREACHABLE,
        "s3_bucket": "videos",
        "s3_access_key": "writer",
        "s3_secret_key": "writing for the tests",
    },
}
"""What each service has to be told."""
BUCKET = {
    "checkpoint_s3_endpoint": UNREACHABLE,
    "checkpoint_s3_bucket": "checkpoints",
    "checkpoint_s3_access_key": "writer",
    "checkpoint_s3_secret_key": "checkpoints of the tests",
}
SERVICE_AND_SECRET = [
    (service, name)
    for service, (settings, _) in SERVICES.items()
    for name, field in settings.model_fields.items()  # type: ignore[attr-defined]
    if is_secret(field)
]
KEYS = {"checkpoint_key"}
"""Secrets of a form that no example has: whatever else stands there is refused for that, in a sandbox, too."""
WITHIN_URLS = {
    "database_url": "postgresql+psycopg://telecine:{}@127.0.0.1/telecine",
    "nats_url": "nats://telecine:{}@127.0.0.1:4222",
}
EXAMPLE = "example-of-a-secret"


def settings_error(service: str, name: str, value: str, **more: str) -> str:
    """What a service says of its settings when one of them is this; nothing if it takes it."""
    given: dict[str, Any] = {**REQUIRED_SETTINGS[service], **more, name: value}
    if name in BUCKET:
        given = BUCKET | given
    try:
        SERVICES[service][0](**given)
    except ValidationError as error:
        return "\n".join(problem["msg"] for problem in error.errors(include_input=False))
    return ""


def test_there_are_as_many_secrets_as_are_known() -> None:
    assert len(SERVICE_AND_SECRET) == 12
    assert {service for service, _ in SERVICE_AND_SECRET} == set(SERVICES)


@pytest.mark.parametrize(("service", "name"), SERVICE_AND_SECRET)
def test_an_example_is_refused_outside_a_sandbox(service: str, name: str) -> None:
    said = settings_error(service, name, EXAMPLE)
    assert said
    assert EXAMPLE not in said
    if name not in KEYS:
        assert f"TELECINE_{name.upper()}: known from examples or easy to guess" in said
        assert settings_error(service, name, EXAMPLE, profile="sandbox") == ""


@pytest.mark.parametrize(("service", "name"), SERVICE_AND_SECRET)
def test_what_is_easy_to_guess_is_refused_as_well(service: str, name: str) -> None:
    assert settings_error(service, name, "1" * 32)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", WITHIN_URLS)
def test_a_password_within_a_url_is_a_secret_too(service: str, name: str) -> None:
    said = settings_error(service, name, WITHIN_URLS[name].format("changeme"))
    assert f"TELECINE_{name.upper()}: known from examples or easy to guess" in said
    assert settings_error(service, name, WITHIN_URLS[name].format("changeme"), profile="sandbox") == ""
    assert settings_error(service, name, WITHIN_URLS[name].format("Ka9xW2hhT4m")) == ""


@pytest.mark.parametrize(("service", "name"), SERVICE_AND_SECRET)
def test_every_secret_may_come_from_a_file(
    service: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = Signer.new("tests").secret_text() if name in KEYS else "the tests alone know it 5fR8uLc2Wd1B"
    file = tmp_path / "secret"
    file.write_text(f"{secret}\n")
    monkeypatch.setenv(f"TELECINE_{name.upper()}_FILE", str(file))
    given = {**REQUIRED_SETTINGS[service], **(BUCKET if name in BUCKET else {})}
    given.pop(name, None)
    found = getattr(SERVICES[service][0](**given), name)
    assert found.get_secret_value() == secret


def process(service: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """The service as a process of its own, until it ends."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TELECINE_")}
    given = {f"TELECINE_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", f"telecine_{service}"],
        env=inherited | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def secrets_of(service: str) -> Iterator[str]:
    return (name for each, name in SERVICE_AND_SECRET if each == service and name not in KEYS)


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_with_examples_ends_at_once_and_names_each(service: str) -> None:
    examples = dict.fromkeys(secrets_of(service), EXAMPLE)
    bucket = BUCKET if service == "credits" else {}
    done = process(service, **{**REQUIRED_SETTINGS[service], **bucket, **examples})
    assert done.returncode == 2
    assert done.stdout == ""
    assert [name for name in examples if f"TELECINE_{name.upper()}" not in done.stderr] == []
    assert "TELECINE_PROFILE=sandbox" in done.stderr
    assert EXAMPLE not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nats_url", "nats://telecine:canary@[::1"),
        ("nats_url", "http://telecine:canary@127.0.0.1:4222"),
        ("nats_url", "nats://telecine:canary@127.0.0.1:none"),
        ("database_url", "canary"),
        ("database_url", "mysql://telecine:canary@127.0.0.1/telecine"),
        ("database_url", "postgresql+psycopg://telecine:canary@127.0.0.1:none/telecine"),
    ],
)
def test_a_url_that_is_none_is_named_and_not_shown(name: str, value: str) -> None:
    said = settings_error("credits", name, value)
    assert said.startswith("Value error, a ")
    assert "canary" not in said


PROGRAM = """
from telecine_chassis.runtime.service import Service, run
from telecine_chassis.settings.base import ServiceSettings
class Broken:
    async def start(self):
        raise KeyError("nothing")
run(ServiceSettings, lambda settings: Service("tests", [Broken()], []))
"""


def test_unexpected_error_is_one_json_object() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert json.loads(line)["event"] == "service.not_started"
    assert "KeyError: 'nothing'" in json.loads(line)["exception"]
