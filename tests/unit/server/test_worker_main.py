import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rproxy.server import parcels
from rproxy.server.control import Channel, ControlError, Questioner, StartQuestion, config_text
from rproxy.server.sockets import ListeningSockets
from rproxy.server.worker_main import run_worker
from tests.support.fake_node import PATIENCE
from tests.unit.server.stub_worker import StubWorker


class Remote:
    """The supervisor's end of a worker that runs in this process."""

    def __init__(
        self, channel: Channel, questioner: Questioner, living: asyncio.Task[None], parcel_end: socket.socket
    ) -> None:
        self.channel = channel
        self.questioner = questioner
        self.living = living
        self.parcel_end = parcel_end
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
    parcel_end, their_parcel_end = parcels.pair()
    channel = await Channel.open(ours)
    questioner = Questioner(channel)
    listening = asyncio.create_task(questioner.listen())

    def make(*arguments: Any, **keywords: Any) -> StubWorker:
        remote.workers.append(StubWorker(*arguments, **keywords))
        return remote.workers[-1]

    remote = Remote(channel, questioner, asyncio.create_task(run_worker(theirs, their_parcel_end, make)), parcel_end)
    yield remote
    await channel.close()
    parcel_end.close()
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


async def test_it_takes_over_another_configuration_with_the_sockets_it_needs(remote: Remote, make_config: Any) -> None:
    worker = await remote.start(make_config())
    config = make_config(drain_timeout=7.0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        parcels.send(remote.parcel_end, {"more": listening})
        message = {"question": "reload", "number": 0, "sockets": 1, "config": config_text(config)}
        await remote.questioner.ask(message, PATIENCE)
        ((taken, sockets),) = worker.reloads
        assert taken == config
        assert sockets["more"].getsockname() == listening.getsockname()
        sockets["more"].close()
    remote.channel.send({"question": "drain"})
    await remote.living
    assert worker.drained_within == 7.0


async def test_a_configuration_that_cannot_be_taken_over_is_an_answer(
    remote: Remote, make_config: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await remote.start(make_config())
    message = {"question": "reload", "number": 0, "sockets": 0, "config": config_text(make_config(cluster="broken"))}
    with pytest.raises(ControlError, match="StartError: the cluster is broken"):
        await remote.questioner.ask(message, PATIENCE)
    assert "could not be taken over" in caplog.text
    assert await ask(remote, "readiness") == [True, "no topology yet: absent"]


async def test_asked_to_drain_it_gets_those_who_take_its_clients(remote: Remote, make_config: Any) -> None:
    worker = await remote.start(make_config())
    inbox, heir = parcels.pair()
    with inbox, heir:
        parcels.send(remote.parcel_end, {"0": heir})
        remote.channel.send({"question": "drain", "heirs": 1})
        await remote.living
        (got,) = worker.heirs
        with got:
            got.send(b"a client")
            assert inbox.recv(100) == b"a client"
