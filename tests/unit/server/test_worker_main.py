import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rproxy.server.control import Channel, ControlError, Questioner, StartQuestion
from rproxy.server.sockets import ListeningSockets
from rproxy.server.worker_main import run_worker
from tests.support.fake_node import PATIENCE
from tests.unit.server.stub_worker import StubWorker


class Remote:
    """The supervisor's end of a worker that runs in this process."""

    def __init__(self, channel: Channel, questioner: Questioner, living: asyncio.Task[None]) -> None:
        self.channel = channel
        self.questioner = questioner
        self.living = living
        self.workers: list[StubWorker] = []

    async def start(self, config: Any) -> StubWorker:
        with ListeningSockets(config) as sockets:
            copies = {name: sock.dup() for name, sock in sockets.of_worker[0].items()}
            message = StartQuestion(config, copies, 4).message()
            for copy in copies.values():
                copy.detach()
        await self.questioner.ask(message, PATIENCE)
        return self.workers[-1]


@pytest.fixture
async def remote(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Remote]:
    monkeypatch.setattr("rproxy.server.worker_main.set_up_logs", lambda *_: None)
    ours, theirs = socket.socketpair()
    channel = await Channel.open(ours)
    questioner = Questioner(channel)
    listening = asyncio.create_task(questioner.listen())

    def make(*arguments: Any, **keywords: Any) -> StubWorker:
        remote.workers.append(StubWorker(*arguments, **keywords))
        return remote.workers[-1]

    remote = Remote(channel, questioner, asyncio.create_task(run_worker(theirs, make)))
    yield remote
    await channel.close()
    await asyncio.wait_for(remote.living, PATIENCE)
    await listening
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


async def ask(remote: Remote, question: str) -> Any:
    return await remote.questioner.ask({"question": question}, PATIENCE)


async def test_a_worker_is_started_with_its_id_and_answers(remote: Remote, make_config: Any) -> None:
    worker = await remote.start(make_config())
    assert worker.worker_id == 4
    assert await ask(remote, "readiness") == [True, "no topology yet: absent"]
    samples = await ask(remote, "samples")
    assert ["rproxy_mirror_sent_total", ["stub"], 0] in samples
    assert "rproxy_resident_memory_bytes" in {name for name, _, _ in samples}


async def test_a_worker_that_cannot_start_says_why_and_ends(remote: Remote, make_config: Any) -> None:
    with pytest.raises(ControlError, match="the cluster is broken"):
        await remote.start(make_config(cluster="broken"))
    await asyncio.wait_for(asyncio.shield(remote.living), PATIENCE)


async def test_asked_to_drain_it_drains_and_ends(remote: Remote, make_config: Any) -> None:
    worker = await remote.start(make_config(drain_timeout=3.5))
    remote.channel.send({"question": "drain"})
    await asyncio.wait_for(asyncio.shield(remote.living), PATIENCE)
    assert worker.drained_within == 3.5


async def test_sigterm_drains_it_too(remote: Remote, make_config: Any) -> None:
    worker = await remote.start(make_config())
    signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(asyncio.shield(remote.living), PATIENCE)
    assert worker.drained_within == 1.0


async def test_it_drains_when_its_supervisor_is_gone(remote: Remote, make_config: Any) -> None:
    worker = await remote.start(make_config())
    await remote.channel.close()
    await asyncio.wait_for(asyncio.shield(remote.living), PATIENCE)
    assert worker.drained_within == 1.0


async def test_it_ends_at_once_when_its_supervisor_goes_during_the_drain(remote: Remote, make_config: Any) -> None:
    config = make_config(drain_timeout=60.0)
    worker = await remote.start(config)
    worker._clients = 1  # one that never leaves
    remote.channel.send({"question": "drain"})
    async with asyncio.timeout(PATIENCE):
        while worker.drained_within is None:
            await asyncio.sleep(0.01)
        await remote.channel.close()
        await asyncio.shield(remote.living)
