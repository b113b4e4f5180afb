import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from rproxy.config.models import Config
from rproxy.errors import StartError
from rproxy.metrics.samples import Value, merge
from rproxy.server import supervisor as module
from rproxy.server.sockets import ListeningSockets
from rproxy.server.supervisor import RESTART_FIRST, RESTART_MOST, RESTART_RESET, Supervisor, restart_delay
from tests.support.fake_node import PATIENCE

STUB = [sys.executable, str(Path(__file__).with_name("stub_worker.py"))]
ROOT = Path(__file__).parents[3]


class Running:
    """A supervisor of stub workers that runs."""

    def __init__(self, supervisor: Supervisor, sockets: ListeningSockets) -> None:
        self.supervisor = supervisor
        self.port = int(sockets.addresses[0].rpartition(":")[2])

    async def say(self, line: str) -> int | None:
        """The pid of the worker that answered, ``None`` if it ended instead."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"{line}\n".encode())
            return int(await reader.readline() or 0) or None
        except ConnectionError:
            return None
        finally:
            writer.close()

    async def ask(self, question: str) -> list[Any]:
        """The id of a worker that asked the others, and what they answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"ask {question}\n".encode())
        answer: list[Any] = json.loads(await reader.readline())
        writer.close()
        return answer

    async def pids(self) -> dict[int, int]:
        answers = await self.supervisor.ask("clusters")
        return {worker_id: cluster["pid"] for worker_id, [cluster] in answers.items()}

    async def pids_once(self, is_wanted: Callable[[dict[int, int]], bool]) -> dict[int, int]:
        async with asyncio.timeout(2 * PATIENCE):
            while not is_wanted(pids := await self.pids()):
                await asyncio.sleep(0.05)
        return pids

    async def metric_once(self, name: str, value: Value) -> None:
        async with asyncio.timeout(2 * PATIENCE):
            while await self.metric(name) != value:
                await asyncio.sleep(0.05)

    async def metric(self, name: str) -> Value:
        samples = merge([await self.supervisor.samples()])
        return next(value for sample_name, _, value in samples if sample_name == name)


Start = Callable[[Config], AbstractAsyncContextManager[Running]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(module, "ANSWER_WITHIN", PATIENCE)
    monkeypatch.setattr(module, "OPERATORS_WAIT", PATIENCE)

    @asynccontextmanager
    async def run(config: Config) -> AsyncIterator[Running]:
        with ListeningSockets(config) as sockets:
            supervisor = Supervisor(config, sockets, STUB)
            await supervisor.start()
            try:
                yield Running(supervisor, sockets)
            finally:
                await supervisor.drain()

    return run


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that hangs meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_several_workers_serve_one_port(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=2)) as running:
        pids = await running.pids()
        assert sorted(pids) == [0, 1]
        assert len({*pids.values(), os.getpid()}) == 3
        answered = {await running.say("hello") for _ in range(40)}
        assert answered <= set(pids.values())
        assert await running.metric("rproxy_mirror_sent_total") == 40
        assert await running.metric("rproxy_workers_alive") == 2


async def test_a_dead_worker_is_started_again_and_the_port_stays_open(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=2)) as running:
        before = await running.pids()
        assert await running.say("die") is None
        # Whichever worker's queue the kernel puts these in, each is answered: at once, or by the new worker.
        answered = set(await asyncio.gather(*(running.say("hello") for _ in range(20))))
        after = await running.pids_once(lambda pids: len(pids) == 2 and pids != before)
        assert answered <= set(after.values())
        assert len(set(after.values()) & set(before.values())) == 1
        assert await running.metric("rproxy_worker_restarts_total") == 1


async def test_a_killed_worker_is_started_again(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=2)) as running:
        before = await running.pids()
        os.kill(before[1], signal.SIGKILL)
        after = await running.pids_once(lambda pids: len(pids) == 2 and pids[1] != before[1])
        assert after[0] == before[0]


async def test_what_a_worker_counted_stays_after_its_end(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=2)) as running:
        for _ in range(10):
            await running.say("hello")
        before = await running.pids()
        assert await running.metric("rproxy_mirror_sent_total") == 10
        os.kill(before[0], signal.SIGKILL)
        await running.pids_once(lambda pids: len(pids) == 2 and pids[0] != before[0])
        assert await running.metric("rproxy_mirror_sent_total") == 10


async def test_a_worker_that_hangs_is_left_out_and_does_not_hang_the_others(
    start: Start, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OPERATORS_WAIT", 0.3)
    async with start(make_config(workers=2)) as running:
        await running.say("hello")
        await running.metric_once("rproxy_mirror_sent_total", 1)
        both = await running.pids_once(lambda pids: len(pids) == 2)
        with stopped(both[0]):
            assert await running.pids_once(lambda pids: len(pids) == 1) == {1: both[1]}
            await running.metric_once("rproxy_workers_alive", 1)
            assert await running.metric("rproxy_mirror_sent_total") == 1
        assert await running.pids_once(lambda pids: len(pids) == 2) == both


async def test_a_worker_asks_all_others(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=3)) as running:
        asker, *answers = await running.ask("size")
        others = [worker_id for worker_id in range(3) if worker_id != asker]
        assert answers == [[worker_id, "redis", "size", {"from": asker}] for worker_id in others]


async def test_a_question_that_fails_has_no_answer(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=2)) as running:
        asker, *answers = await running.ask("fail")
        assert (asker in (0, 1), answers) == (True, [])


async def test_a_worker_that_hangs_is_left_out_of_the_answers(
    start: Start, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_WITHIN", 0.3)
    async with start(make_config(workers=2)) as running:
        pids = await running.pids_once(lambda pids: len(pids) == 2)
        with stopped(pids[0]):
            # The kernel draws whose client one is: with so many, some are the other worker's.
            asking = [asyncio.create_task(running.ask("size")) for _ in range(40)]
            done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            assert done.pop().result() == [1]
        await asyncio.gather(*asking)


async def test_a_worker_tells_another_one(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=2)) as running:
        worker_of = {pid: worker_id for worker_id, pid in (await running.pids()).items()}
        teller = worker_of[await running.say("tell") or 0]
        while (noted := await running.ask("noted"))[0] != teller:
            pass
        assert noted == [teller, [1 - teller, ["told"]]]


async def test_drained_workers_end(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=2)) as running:
        pids = (await running.pids()).values()
    assert not any(map(is_alive, pids))
    with pytest.raises(ConnectionRefusedError):
        await running.say("hello")


async def test_a_worker_that_does_not_end_is_killed(
    start: Start, make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_DRAIN_GRACE", 0.1)
    async with start(make_config(workers=1, drain_timeout=0.1)) as running:
        [pid] = (await running.pids()).values()
        os.kill(pid, signal.SIGSTOP)
    assert not is_alive(pid)


async def test_a_worker_that_cannot_start_fails_the_start(start: Start, make_config: Any) -> None:
    with pytest.raises(StartError, match=r"^worker \d did not start: the cluster is broken$"):
        async with start(make_config(workers=2, cluster="broken")):
            pass


async def test_no_secret_is_on_a_command_line(start: Start, make_config: Any) -> None:
    async with start(make_config(workers=1)) as running:
        [pid] = (await running.pids()).values()
        assert "stub_worker.py" in proc_file(pid, "cmdline")
        assert "hushhush" not in proc_file(pid, "cmdline") + proc_file(pid, "environ")


def proc_file(pid: int, name: str) -> str:
    path = Path(f"/proc/{pid}/{name}")
    return path.read_text() if path.exists() else pytest.skip("no /proc here")


def test_the_wait_before_a_restart_doubles_up_to_the_most() -> None:
    waits = [0.0]
    while waits[-1] < RESTART_MOST:
        waits.append(restart_delay(waits[-1], lifetime=0.5))
    assert waits[1:4] == [RESTART_FIRST, RESTART_FIRST * 2, RESTART_FIRST * 4]
    assert restart_delay(RESTART_MOST, lifetime=0.5) == RESTART_MOST


def test_a_worker_that_lived_long_is_restarted_soon() -> None:
    assert restart_delay(RESTART_MOST, lifetime=RESTART_RESET) == RESTART_FIRST
