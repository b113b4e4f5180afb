"""Clients go to the worker that has the fewest."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from rproxy.downstream.balance import Balance, Ledger, Share
from tests.support.fake_node import PATIENCE


def inherited(share: Share) -> Share:
    """The descriptors as another process has them: copies."""
    with_copies = [socket.socket(fileno=number) for number in share.descriptors()[1:]]
    copies = [sock.dup().detach() for sock in with_copies]
    for sock in with_copies:
        sock.detach()
    return Share(share.counts, copies[0], tuple(copies[1:]))


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = Ledger(2)
    yield ledger
    ledger.close()


class Worker:
    def __init__(self, ledger: Ledger, worker_id: int) -> None:
        self.balance = Balance(inherited(ledger.share_of(worker_id)), worker_id)
        self.adopted: list[tuple[str, socket.socket]] = []

    def begin(self) -> None:
        self.balance.begin(asyncio.get_running_loop(), self._adopt)

    def _adopt(self, name: str, sock: socket.socket) -> None:
        self.adopted.append((name, sock))
        self.balance.count(1)

    def accept(self) -> bool:
        """Accept a client; whether it was handed over."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            handed = self.balance.hand_over("redis", theirs)
            if not handed:
                self.balance.count(1)
            return handed


async def test_whoever_accepts_the_clients_end_up_even(ledger: Ledger) -> None:
    first, second = Worker(ledger, 0), Worker(ledger, 1)
    first.begin()
    second.begin()
    kept = 0
    for _ in range(101):
        kept += not first.accept()
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        while kept + len(second.adopted) < 101:
            await asyncio.sleep(0.001)
    assert sorted([kept, len(second.adopted)]) == [50, 51]
    assert {name for name, _ in second.adopted} == {"redis"}


async def test_an_adopted_client_is_the_one_that_was_accepted(ledger: Ledger) -> None:
    first, second = Worker(ledger, 0), Worker(ledger, 1)
    first.begin()
    second.begin()
    first.balance.count(1)
    client, accepted = socket.socketpair()
    with client:
        with accepted:
            assert first.balance.hand_over("redis", accepted)
        async with asyncio.timeout(PATIENCE):
            while not second.adopted:
                await asyncio.sleep(0.001)
        (_, sock) = second.adopted[0]
        client.sendall(b"PING")
        assert sock.recv(10) == b"PING"
        sock.close()


async def test_a_worker_that_has_ended_gets_no_clients(ledger: Ledger) -> None:
    first, second = Worker(ledger, 0), Worker(ledger, 1)
    first.begin()
    second.begin()
    ledger.on_ended(1)
    assert not any(first.accept() for _ in range(10))
    second.begin()
    assert [first.accept() for _ in range(10)] == [True] * 10
