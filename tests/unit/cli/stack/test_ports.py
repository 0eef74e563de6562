"""Free loopback ports: different ones, not taken ones, the remembered ones where possible."""

import socket

from telecine_cli.stack.ports import LOOPBACK, allocate_ports, free_port, free_ports, is_free


def test_free_ports_are_different_and_below_the_range_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(20_000 <= port < 32_000 for port in ports)


def test_a_port_with_a_listener_is_not_free() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)


def test_a_port_in_time_wait_is_free() -> None:
    """A port as a restart finds it: with a connection in TIME_WAIT and without a listener."""
    port = free_port()
    with socket.create_server((LOOPBACK, port)) as server:
        client = socket.create_connection((LOOPBACK, port))
        accepted, _ = server.accept()
        accepted.close()
        client.close()
    assert is_free(port)


def test_stored_ports_are_kept_unless_taken() -> None:
    kept, taken = free_ports(2)
    with socket.create_server((LOOPBACK, taken)):
        ports = allocate_ports({"nats": kept, "s3": taken, "unused": 1}, ["nats", "s3", "gateway"])
    assert ports["nats"] == kept
    assert ports["s3"] != taken
    assert ports["unused"] == 1
    assert len(set(ports.values())) == 4
