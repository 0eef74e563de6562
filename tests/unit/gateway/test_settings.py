"""The gateway's settings: formats of lists, and refusal of weak or unknown values."""

import pytest
from pydantic import ValidationError

from telecine_gateway.settings import Settings

NEEDED = {
    "TELECINE_S3_ENDPOINT": "http://127.0.0.1:9000",
    "TELECINE_S3_ACCESS_KEY": "reader",
    "TELECINE_S3_SECRET_KEY": "reading for the tests",
    "TELECINE_CONTENT_SECRET": "links of the tests 7mQ2vX9rTb4K",
    "TELECINE_CALLBACK_SECRET": "callbacks of the tests Zk3Jw8YdPq6N",
}


def read(monkeypatch: pytest.MonkeyPatch, **changes: str) -> Settings:
    for name, value in (
        NEEDED | {f"TELECINE_{name.upper()}": value for name, value in changes.items()}
    ).items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)

    assert settings.default_model in settings.models
    assert len(settings.models) == 4
    assert settings.image_url_private_hosts == ()
    assert "a" * 16 not in repr(settings)


@pytest.mark.parametrize("text", ["127.0.0.1:9, emulator:80", '["127.0.0.1:9", "emulator:80"]'])
def test_lists_are_comma_separated_or_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert read(monkeypatch, image_url_private_hosts=text).image_url_private_hosts == (
        "127.0.0.1:9",
        "emulator:80",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content_secret", "short"),
        ("callback_secret", ""),
        ("models", ","),
        ("models", "gpt"),
        ("models", "["),
        ("default_model", "doubao-seedance-2-5-260628"),
        ("http_port", "99999"),
        ("answer_timeout", "0"),
        ("content_downloads_per_account", "120"),
        ("jwks_url", "https://app.example.com/jwks"),
        ("jwt_algorithms", "HS256"),
        ("jwt_algorithms", ","),
        ("jwt_default_scopes", "root"),
        ("signup_credits", "-1"),
    ],
)
def test_invalid_settings_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        read(monkeypatch, **{name: value})


def test_secrets_have_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NEEDED:
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ValidationError) as error:
        Settings()

    missing = {str(problem["loc"][0]) for problem in error.value.errors()}
    assert {"content_secret", "callback_secret", "s3_secret_key"} <= missing


ISSUER = {"jwt_issuer": "https://app.example.com", "jwt_audiences": "telecine, videos"}


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/api/auth/jwks",
        "https://203.0.113.7/jwks",
        "http://127.0.0.1:3000/jwks",
        "http://localhost/jwks",
        "http://[::1]/jwks",
        "http://10.1.2.3/jwks",
        "http://web:3000/jwks",
    ],
)
def test_keys_come_over_https_or_a_private_network(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    settings = read(monkeypatch, jwks_url=url, **ISSUER)
    assert (settings.jwks_url, settings.jwt_audiences) == (url, ("telecine", "videos"))


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.com/jwks",
        "http://203.0.113.7/jwks",
        "http://169.254.169.254/jwks",
        "http://127.0.0.1.example.com/jwks",
        "https://user:password@app.example.com/jwks",
        "https://app.example.com:99999/jwks",
        "file:///etc/jwks",
        "https://",
        "jwks",
    ],
)
def test_other_addresses_of_keys_are_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(ValidationError, match=r"(?i)jwks_url"):
        read(monkeypatch, jwks_url=url, **ISSUER)
