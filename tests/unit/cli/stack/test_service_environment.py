"""What a stack tells its services, held against what each of them can be told."""

import os
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from telecine_cli.provisioning.credentials import make_credentials
from telecine_cli.settings_page import settings_of
from telecine_cli.stack.config import (
    SECRETS,
    SERVICES,
    Provider,
    StackConfig,
    StackOptions,
    credentials_folder,
    environment,
)
from telecine_cli.stack.specs import process_specs
from telecine_cli.stack.state import StackState

NAMES = (
    "nats",
    "nats-monitoring",
    "s3",
    "emulator",
    "gateway",
    "credits-health",
    "generation-health",
    "storage-health",
    "gateway-health",
)
PORTS = {name: 20_000 + number for number, name in enumerate(NAMES)}
KNOWN = {name: make() for name, make in SECRETS.items()}
SANDBOX = StackOptions()
REAL = StackOptions(provider=Provider("https://ark.example/api/v3", "its-key-5fR8uLc2Wd1B"))
PUBLIC = StackOptions(provider=REAL.provider, public_url="https://video.example")
ALL = {"sandbox": SANDBOX, "real": REAL, "public": PUBLIC}
DATA = Path("/data")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TELECINE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose NATS server has been started once."""
    make_credentials(credentials_folder(tmp_path))
    return tmp_path


def told(service: str, options: StackOptions = SANDBOX, data: Path = DATA) -> dict[str, str]:
    known = [port for child in process_specs(options) for port in child.ports]
    state = StackState({name: PORTS[name] for name in known}, KNOWN)
    whole = environment(service, StackConfig(data, options, state))
    return {name: value for name, value in whole.items() if name.startswith("TELECINE_")}


@pytest.mark.parametrize("options", ALL.values(), ids=ALL)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_only_settings_that_it_reads(service: str, options: StackOptions) -> None:
    known = {f"TELECINE_{name.upper()}" for name in settings_of(service).model_fields}
    assert set(told(service, options)) <= known


@pytest.mark.parametrize("options", ALL.values(), ids=ALL)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_every_required_setting(service: str, options: StackOptions) -> None:
    fields = settings_of(service).model_fields
    required = {name for name, field in fields.items() if field.default is PydanticUndefined}
    assert {f"TELECINE_{name.upper()}" for name in required} <= set(told(service, options))


@pytest.mark.parametrize("options", ALL.values(), ids=ALL)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_accepts_its_environment(
    service: str, options: StackOptions, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in told(service, options, data).items():
        monkeypatch.setenv(name, value)
    settings = settings_of(service)()
    assert settings.nats_url == "nats://127.0.0.1:20000"


def test_the_emulator_is_reached_though_it_is_private(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (told("storage", data=data) | told("gateway", data=data)).items():
        monkeypatch.setenv(name, value)
    storage, gateway = settings_of("storage")().model_dump(), settings_of("gateway")().model_dump()
    assert (storage["result_hosts"], storage["result_allow_private"]) == ((), True)
    assert gateway["image_url_private_hosts"] == ("127.0.0.1:20003",)


def test_a_real_provider_allows_no_private_addresses() -> None:
    assert not {"TELECINE_RESULT_ALLOW_PRIVATE", "TELECINE_RESULT_HOSTS"} & set(told("storage", REAL))
    assert "TELECINE_IMAGE_URL_PRIVATE_HOSTS" not in told("gateway", REAL)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.9:9000/api/v3", True),
        ("http://[::1]:9000/api/v3", True),
        ("http://LOCALHOST:9000/api/v3", True),
        ("https://127.example.com/api/v3", False),
        ("https://127.0.0.1.example.com/api/v3", False),
        ("https://localhost.example.com/api/v3", False),
        ("http://10.0.0.1/api/v3", False),
    ],
)
def test_only_a_local_provider_allows_private_addresses(url: str, is_local: bool) -> None:
    options = StackOptions(provider=Provider(url, "its-key-5fR8uLc2Wd1B"))
    assert ("TELECINE_RESULT_ALLOW_PRIVATE" in told("storage", options)) is is_local
    assert ("TELECINE_CALLBACK_BASE_URL" in told("generation", options)) is is_local


def test_callbacks_use_a_url_that_the_provider_can_reach() -> None:
    assert told("generation")["TELECINE_CALLBACK_BASE_URL"] == "http://127.0.0.1:20004"
    assert "TELECINE_CALLBACK_BASE_URL" not in told("generation", REAL)
    assert told("generation", PUBLIC)["TELECINE_CALLBACK_BASE_URL"] == "https://video.example"


def test_what_the_stack_does_not_decide_may_be_set_by_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_DEADLINE", "60")
    monkeypatch.setenv("TELECINE_NATS_URL", "nats://elsewhere:4222")
    monkeypatch.setenv(
        "TELECINE_NATS_N\u212aEY_SEED_FILE", "/elsewhere"
    )  # a Kelvin sign, whose lower case is k
    assert told("generation")["TELECINE_DEADLINE"] == "60"
    assert told("generation")["TELECINE_NATS_URL"] == "nats://127.0.0.1:20000"
    assert "/elsewhere" not in told("generation").values()


def test_a_secret_of_the_users_environment_reaches_only_services_that_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TELECINE_PROVIDER_API_KEY", "its-key-5fR8uLc2Wd1B")
    assert [service for service in SERVICES if "its-key-5fR8uLc2Wd1B" in told(service, REAL).values()] == [
        "generation"
    ]


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:9/api/v3", True),
        ("http://localhost:9/api/v3", True),
        ("https://ark.example/api/v3", False),
    ],
)
def test_results_of_a_provider_on_this_machine_may_be_fetched(url: str, local: bool) -> None:
    chosen = StackOptions(provider=Provider(url, "key"))
    assert ("TELECINE_RESULT_ALLOW_PRIVATE" in told("storage", chosen)) is local
    assert ("TELECINE_CALLBACK_BASE_URL" in told("generation", chosen)) is local
