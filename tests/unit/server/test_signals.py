"""Signals that this process sends to itself; the successor that one of them starts is a fake."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping

import pytest

from rproxy.errors import StartError
from rproxy.server import signals as module
from rproxy.server.signals import Signals
from tests.support.fake_node import PATIENCE

HEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
SOCKETS: dict[str, socket.socket] = {}
"""What a successor is to listen at."""


class FakeSuccessor:
    """Is ready, or fails, when it is told to."""

    def __init__(self, sockets: Mapping[str, socket.socket]) -> None:
        assert sockets is SOCKETS
        self.pid = 4711
        self.ready: asyncio.Future[list[socket.socket]] = asyncio.get_running_loop().create_future()
        self.is_given_up = False

    async def heirs(self) -> list[socket.socket]:
        return await self.ready

    def give_up(self) -> None:
        self.is_given_up = True


class Process:
    """What is seen of a process that heeds signals."""

    def __init__(self) -> None:
        self.signals = Signals()
        self.reloads = 0
        self.successors: list[FakeSuccessor] = []
        self.told: list[str] = []
        self.is_startable = True
        self.ending: asyncio.Task[list[socket.socket]] | None = None

    def _reload(self) -> None:
        self.reloads += 1

    async def begin(self) -> asyncio.Task[list[socket.socket]]:
        """Wait for the end from now on."""
        self.ending = asyncio.create_task(self.signals.wait(self._reload, lambda: SOCKETS))
        await asyncio.sleep(0)
        return self.ending

    async def end(self) -> list[socket.socket]:
        """What was waited for."""
        async with asyncio.timeout(PATIENCE):
            return await (self.ending or await self.begin())

    def succeed(self, sockets: Mapping[str, socket.socket]) -> FakeSuccessor:
        if not self.is_startable:
            raise StartError("another rproxy cannot be started: no memory")
        self.successors.append(FakeSuccessor(sockets))
        return self.successors[-1]


async def send(*numbers: int) -> None:
    """Send signals, and let the loop take them and what follows at once."""
    for number in numbers:
        signal.raise_signal(number)
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def process(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Process]:
    before = {number: signal.getsignal(number) for number in HEEDED}
    process = Process()
    monkeypatch.setattr(module, "Successor", process.succeed)
    monkeypatch.setattr(module, "tell", process.told.append)
    yield process
    if process.ending is not None:
        process.ending.cancel()
    for number, handler in before.items():
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_end_is_in_order_and_the_next_is_at_once(process: Process, number: int) -> None:
    await process.begin()
    await send(number)
    assert await process.end() == []
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == [signal.SIG_DFL] * 2


async def test_what_comes_early_has_no_effect_but_to_end(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    await send(signal.SIGHUP, signal.SIGUSR2)
    ending = await process.begin()
    assert (process.reloads, process.successors, ending.done()) == (0, [], False)
    assert caplog.records == []


async def test_an_early_end_is_an_end(process: Process) -> None:
    await send(signal.SIGTERM)
    assert await process.end() == []


async def test_sighup_reads_the_configuration_each_time(process: Process) -> None:
    ending = await process.begin()
    await send(signal.SIGHUP, signal.SIGHUP)
    assert (process.reloads, ending.done()) == (2, False)


async def test_a_successor_that_is_ready_takes_the_clients(process: Process) -> None:
    ending = await process.begin()
    await send(signal.SIGUSR2)
    (successor,) = process.successors
    assert not ending.done()
    with socket.socket() as heir:
        successor.ready.set_result([heir])
        assert await process.end() == [heir]
    assert (process.told, successor.is_given_up) == ([f"MAINPID={successor.pid}"], False)


async def test_an_end_after_a_successor_is_ready_changes_nothing(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    await process.begin()
    await send(signal.SIGUSR2)
    with socket.socket() as heir:
        process.successors[0].ready.set_result([heir])
        assert await process.end() == [heir]
        await send(signal.SIGTERM)
        assert await process.end() == [heir]
    assert (process.successors[0].is_given_up, caplog.records) == (False, [])


async def test_one_successor_is_started_at_a_time(process: Process) -> None:
    await process.begin()
    await send(signal.SIGUSR2, signal.SIGUSR2)
    assert len(process.successors) == 1


async def test_without_a_successor_it_goes_on_and_can_be_asked_again(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    ending = await process.begin()
    process.is_startable = False
    await send(signal.SIGUSR2)
    assert "this rproxy goes on: another rproxy cannot be started: no memory" in caplog.text
    process.is_startable = True
    await send(signal.SIGUSR2)
    process.successors[0].ready.set_exception(StartError("the other rproxy has ended"))
    await send(signal.SIGHUP)
    assert "this rproxy goes on: the other rproxy has ended" in caplog.text
    assert (ending.done(), process.told) == (False, [])
    await send(signal.SIGUSR2)
    assert len(process.successors) == 2


async def test_an_end_gives_up_a_successor_that_is_not_ready(process: Process) -> None:
    await process.begin()
    await send(signal.SIGUSR2, signal.SIGTERM)
    (successor,) = process.successors
    assert await process.end() == []
    assert successor.is_given_up
    successor.ready.set_result([])
    await send(signal.SIGUSR2)
    assert (process.told, len(process.successors)) == ([], 1)


async def test_the_first_process_of_a_container_has_no_successor(
    process: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ending = await process.begin()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    await send(signal.SIGUSR2)
    assert "replace the container" in caplog.text
    assert (process.successors, ending.done()) == ([], False)
