"""The one that is started in the place of another: here a script that does what it is told."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from rproxy.errors import StartError
from rproxy.server import parcels, succession
from rproxy.server.succession import VARIABLE, Predecessor, Successor

TAKE_OVER = """
import socket
from rproxy.server.succession import Predecessor
from rproxy.server import parcels
found = Predecessor.find()
(taken,) = found.take("127.0.0.1:6380")
inbox, heir = parcels.pair()
found.tell_ready([heir])
inbox.recv(100)
taken.accept()[0].sendall(b"hello")
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def put(script: str) -> None:
        monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", script])

    return put


async def test_it_gets_the_sockets_and_says_where_it_takes_clients(run: Callable[[str], None]) -> None:
    run(TAKE_OVER)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        successor = Successor({"127.0.0.1:6380#0": listening, "127.0.0.1:6381#0": listening})
    assert successor.pid
    (heir,) = await successor.heirs()
    with heir, socket.create_connection(address, 10) as client:
        heir.send(b"go")
        assert client.recv(100) == b"hello"


async def test_one_that_ends_is_told(run: Callable[[str], None]) -> None:
    run("raise SystemExit(1)")
    with pytest.raises(StartError, match="the other rproxy has ended"):
        await Successor({}).heirs()


async def test_one_that_hangs_is_ended(run: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "READY_WITHIN", 0.1)
    run("import time; time.sleep(100)")
    with pytest.raises(StartError, match=r"was not ready within 0\.1 s"):
        await Successor({}).heirs()


async def test_one_that_is_not_wanted_any_more_is_ended(run: Callable[[str], None]) -> None:
    run("import time; time.sleep(100)")
    successor = Successor({})
    successor.give_up()
    with pytest.raises(StartError, match="has ended"):
        await successor.heirs()


def test_a_program_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(StartError, match="cannot be started: No such file or directory"):
        Successor({})


def test_who_was_started_by_nobody_has_no_predecessor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Predecessor.find() is None


@pytest.mark.parametrize("value", ["x", "9999"])
def test_a_descriptor_of_nothing_is_an_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(StartError, match=f"{VARIABLE} names no rproxy"):
        Predecessor.find()


def test_a_predecessor_that_has_gone_is_an_error() -> None:
    ours, theirs = parcels.pair()
    ours.send(json.dumps({"sockets": 0}).encode())
    predecessor: Any = Predecessor(theirs)
    ours.close()
    with pytest.raises(StartError, match="is gone"):
        predecessor.tell_ready([])
    theirs.close()
