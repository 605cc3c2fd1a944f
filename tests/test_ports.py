"""The ports of tests: another each time, none that is taken, none that the system gives away."""

from __future__ import annotations

import socket

from tests.ports import SHARE, free_port


def test_a_port_is_given_once_and_not_while_it_is_taken() -> None:
    """Half a round through the share gives each port once, and the one in use to nobody."""
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        given = [free_port() for _ in range(SHARE // 2)]
    assert len(set(given)) == len(given) and taken not in given


def test_the_system_gives_none_of_them_away() -> None:
    """What listens at port 0 is given one from above the share, where the system takes its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listener.getsockname()[1] > free_port()
