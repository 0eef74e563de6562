"""What a data folder remembers, and the environment the services get from it."""

import socket
import stat
from pathlib import Path

import pytest

from telecine_cli.errors import AlreadyRunning, CommandError
from telecine_cli.stack.config import Provider, StackConfig, StackOptions, environment
from telecine_cli.stack.ports import LOOPBACK
from telecine_cli.stack.state import StackState, load_or_create_state, lock, make_private, random_secret

PORTS = {
    name: 20_000 + number
    for number, name in enumerate(
        [
            "nats",
            "nats-monitoring",
            "s3",
            "emulator",
            "gateway",
            "credits-health",
            "generation-health",
            "storage-health",
        ]
    )
}
SECRETS = {name: f"the-{name}-secret" for name in ("s3", "provider", "content", "callback", "checkpoint")}


def config(options: StackOptions | None = None) -> StackConfig:
    return StackConfig(Path("/data"), options or StackOptions(), StackState(PORTS, SECRETS))


def test_the_second_start_finds_the_same_ports_and_secrets(tmp_path: Path) -> None:
    first = load_or_create_state(tmp_path, ["nats", "s3"], {"callback": random_secret})
    assert load_or_create_state(tmp_path, ["nats", "s3"], {"callback": random_secret}) == first
    assert len(first.secrets["callback"]) >= 40


def test_a_taken_port_is_replaced_for_good(tmp_path: Path) -> None:
    first = load_or_create_state(tmp_path, ["nats", "s3"], {})
    with socket.create_server((LOOPBACK, first.ports["s3"])):
        second = load_or_create_state(tmp_path, ["nats", "s3"], {})
    assert second.ports["s3"] != first.ports["s3"]
    assert second.ports["nats"] == first.ports["nats"]
    assert load_or_create_state(tmp_path, ["nats", "s3"], {}) == second


def test_new_ports_and_secrets_are_added_to_the_stored_ones(tmp_path: Path) -> None:
    first = load_or_create_state(tmp_path, ["nats"], {"content": random_secret})
    second = load_or_create_state(
        tmp_path, ["nats", "gateway"], {"content": random_secret, "callback": random_secret}
    )
    assert second.secrets["content"] == first.secrets["content"]
    assert set(second.secrets) == {"content", "callback"}


def test_only_the_owner_can_read_the_state(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with lock(data):
        state = load_or_create_state(data, [], {"content": random_secret})
    assert stat.S_IMODE((data / "stack.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert state.secrets["content"] not in repr(state)


def test_a_stack_folder_that_others_can_enter_is_restricted(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "stack.json").write_text("{}")
    assert make_private(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert not make_private(tmp_path)


def test_an_open_folder_with_other_files_is_refused_unchanged(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(CommandError, match=r"other users may enter .* \(mode 0755\).*chmod 700"):
        make_private(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_data_folder_has_one_running_stack(tmp_path: Path) -> None:
    with (
        lock(tmp_path),
        pytest.raises(AlreadyRunning, match=r"process \d+\) is already running on .*--data"),
        lock(tmp_path),
    ):
        pass
    with lock(tmp_path):
        pass


def test_every_service_gets_the_addresses_that_it_needs() -> None:
    credits, storage = environment("credits", config()), environment("storage", config())
    assert credits["TELECINE_NATS_URL"] == "nats://127.0.0.1:20000"
    assert credits["TELECINE_HEALTH_PORT"] == "20005"
    assert storage["TELECINE_DATABASE_URL"] == "sqlite:////data/storage.db"


@pytest.mark.parametrize(
    ("service", "secrets"),
    [
        ("credits", {"checkpoint"}),
        ("generation", {"provider", "callback"}),
        ("storage", {"s3"}),
        ("gateway", {"s3", "content", "callback"}),
    ],
)
def test_secrets_are_given_only_to_services_that_need_them(service: str, secrets: set[str]) -> None:
    values = " ".join(environment(service, config()).values())
    assert {name for name, secret in SECRETS.items() if secret in values} == secrets


def test_the_emulator_is_the_default_provider() -> None:
    generation = environment("generation", config())
    assert generation["TELECINE_PROVIDER_BASE_URL"] == "http://127.0.0.1:20003/api/v3"
    assert generation["TELECINE_PROVIDER_API_KEY"] == SECRETS["provider"]


def test_a_configured_provider_is_used_unchanged() -> None:
    provider = Provider("https://ark.example/api/v3", "its-key")
    generation = environment("generation", config(StackOptions(provider=provider)))
    assert generation["TELECINE_PROVIDER_BASE_URL"] == provider.base_url
    assert generation["TELECINE_PROVIDER_API_KEY"] == provider.api_key


def test_a_gateway_on_all_interfaces_is_probed_on_loopback() -> None:
    everywhere = "0.0.0.0"  # noqa: S104  only written into settings here
    options = StackOptions(gateway_host=everywhere, gateway_port=8080, public_url="https://video.example")
    assert config(options).gateway_url == "http://127.0.0.1:8080"
    gateway = environment("gateway", config(options))
    assert gateway["TELECINE_HTTP_HOST"] == everywhere
    assert gateway["TELECINE_PUBLIC_URL"] == "https://video.example"
