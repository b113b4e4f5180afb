import os
import socket
import subprocess
import sys
from itertools import pairwise

import pytest

from rproxy.demo import ports
from rproxy.demo.ports import BLOCK, BUS_OFFSET, free_port, usable_ports
from rproxy.errors import StartError

TAKE = "from rproxy.demo.ports import free_port; print([free_port() for _ in range(200)], flush=True); input()"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this process had asked for no port yet."""
    kept = ports._Ports()
    monkeypatch.setattr(ports, "_ports_of", lambda _: kept)


def test_a_free_port_and_its_bus_port_can_be_listened_on() -> None:
    port = free_port(with_bus=True)
    for number in (port, port + BUS_OFFSET):
        with socket.create_server(("127.0.0.1", number)):
            assert number < 65536


@pytest.mark.usefixtures("fresh")
def test_a_port_comes_again_after_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_is_free", lambda port: True)
    taken = [free_port() for _ in range(2 * (BLOCK - 1))]
    assert len(set(taken)) == BLOCK - 1
    assert taken[: BLOCK - 1] == taken[BLOCK - 1 :]


@pytest.mark.usefixtures("fresh")
def test_a_port_that_is_listened_on_is_left_out_and_so_is_one_with_its_bus_port_taken() -> None:
    taken, bus_taken, *_ = {free_port(with_bus=True) for _ in range(4)}
    with socket.create_server(("127.0.0.1", taken)), socket.create_server(("127.0.0.1", bus_taken + BUS_OFFSET)):
        with_bus = {free_port(with_bus=True) for _ in range(BLOCK)}
        plain = {free_port() for _ in range(BLOCK)}
    assert taken not in with_bus | plain
    assert bus_taken in plain - with_bus


@pytest.mark.usefixtures("fresh")
def test_another_block_is_taken_where_one_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    first_block = {free_port() for _ in range(BLOCK - 1)}
    monkeypatch.setattr(ports, "_is_free", lambda port: port not in first_block)
    assert free_port() not in first_block


@pytest.mark.usefixtures("fresh")
def test_without_any_free_port_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as guard:
        guard.bind(("127.0.0.1", 0))
        held = guard.getsockname()[1]
        monkeypatch.setattr(ports, "usable_ports", lambda ephemeral: range(held, held + 1))
        with pytest.raises(StartError, match=r"^no free port on 127\.0\.0\.1$"):
            free_port()


def test_processes_share_no_port() -> None:
    command = [sys.executable, "-c", TAKE]
    others = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    lines = [process.stdout.readline() for process in others if process.stdout]  # all have theirs at one time
    for process in others:
        process.communicate("\n")
    sets = [set(map(int, line.strip("[]\n").split(", "))) for line in lines]
    assert len(set.union(*sets)) == sum(map(len, sets)) > BLOCK


def test_a_forked_process_has_ports_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {free_port() for _ in range(BLOCK)}
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert free_port() not in mine


@pytest.mark.parametrize(
    ("ephemeral", "least", "most"),
    [(32_768, 12_000, 22_768), (49_152, 29_000, 39_152), (16_000, 1024, 6000)],
)
def test_ports_and_bus_ports_lie_below_what_the_system_chooses(ephemeral: int, least: int, most: int) -> None:
    firsts = usable_ports(ephemeral)
    last = firsts[-1] + BLOCK - 1
    assert least <= firsts[0]
    assert last < most
    assert last + BUS_OFFSET < ephemeral
    assert firsts[0] + BUS_OFFSET > last, "a bus port is in another block"
    assert all(after - before == BLOCK for before, after in pairwise(firsts))


@pytest.mark.parametrize("ephemeral", [1024, 12_000, 13_000])
def test_without_room_below_the_usual_ports_are_used(ephemeral: int) -> None:
    assert usable_ports(ephemeral) == usable_ports(32_768)
