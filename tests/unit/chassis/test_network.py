"""Hosts are told apart by parsed addresses and whole labels."""

import pytest

from telecine_chassis.network import is_in_domain, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.3", "::1", "localhost", "LOCALHOST"])
def test_loopback_hosts_are_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.example.com",
        "127.0.0.1.example.com",
        "127.1",
        "localhost.example.com",
        "0.0.0.0",  # noqa: S104  not bound
        "::",
        "10.0.0.1",
    ],
)
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["bytepluses.com", "ark.ap-southeast.BytePluses.com", "ark.bytepluses.com."])
def test_the_domain_and_its_subdomains_match(host: str) -> None:
    assert is_in_domain(host, "bytepluses.com")


@pytest.mark.parametrize("host", ["", "com", "notbytepluses.com", "bytepluses.com.example.org", "bytepluses"])
def test_other_hosts_do_not_match_the_domain(host: str) -> None:
    assert not is_in_domain(host, "bytepluses.com")
