"""rproxy itself is changed again and again under load: another configuration, another process."""

import re
import signal
import time
from contextlib import ExitStack
from typing import Any

import psutil
import pytest
import yaml

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.client import RawClient
from tests.support.load import Load, many_keys
from tests.support.proxy import Proxy, config_of
from tests.support.restarting import Restarting
from tests.support.waiting import await_true

KEYS = [[f"key-{client}-{number}" for number in range(4)] for client in range(16)]
RELOADS = 40
RESTARTS = 5
IDLE = 500
MEMORY_MOST = 8 * 1024**2
"""Bytes that a process may have grown by: what was allocated once is not given back."""


def all_of(pid: int) -> list[psutil.Process]:
    """A proxy's processes."""
    first = psutil.Process(pid)
    return [first, *first.children()]


def sizes_of(pid: int) -> tuple[int, int]:
    """Resident bytes and descriptors of a proxy's processes."""
    processes = all_of(pid)
    return sum(each.memory_info().rss for each in processes), sum(each.num_fds() for each in processes)


@figures.whole_suite
@pytest.mark.parametrize("workers", [1, 2])
def test_a_configuration_that_changes_again_and_again(own_cluster: EmbeddedCluster, workers: int) -> None:
    config: dict[str, Any] = {**config_of(own_cluster.seeds), "workers": workers, "watch_config": False}
    with Proxy(config=config) as proxy, Load(proxy.port, KEYS, many_keys) as load:
        config = yaml.safe_load(proxy.config_file.read_text())

        def reload(number: int) -> None:
            config["clusters"][0]["max_parked"] = 1000 + number
            config["clusters"][0]["connections_per_endpoint"] = 1 + number % 2
            config["listeners"][0]["redis_proxy"]["settings"]["op_timeout"] = f"{4 + number % 3}s"
            proxy.config_file.write_text(yaml.safe_dump(config))
            proxy.send_signal(signal.SIGHUP)
            await_true(lambda: done() == number, seconds=40)

        def done() -> float:
            return proxy.metrics().total("rproxy_config_reloads_total", result="success")

        for number in range(1, 11):
            reload(number)
        memory, descriptors = sizes_of(proxy.pid)
        began = time.monotonic()
        for number in range(11, 11 + RELOADS):
            reload(number)
            load.go_on(0.05)
        worst = load.journal.worst_latency([key for keys in KEYS for key in keys], began, time.monotonic())
        await_true(lambda: sizes_of(proxy.pid)[1] <= descriptors + 4, seconds=30)
        grown = sizes_of(proxy.pid)[0] - memory
        assert grown < MEMORY_MOST * workers
    journal = load.journal
    assert (journal.broken, journal.wrong, journal.errors()) == ([], [], [])
    figures.note("a new configuration", f"reloads, {workers} worker(s)", str(RELOADS))
    figures.note("a new configuration", f"commands meanwhile, {workers} worker(s)", str(len(journal.entries)))
    figures.note("a new configuration", f"longest wait, {workers} worker(s)", f"{worst * 1000:.0f} ms")
    figures.note("a new configuration", "commands that failed, connections lost", "0")


@figures.whole_suite
@pytest.mark.parametrize("workers", [1, 2])
def test_a_program_that_is_started_anew_again_and_again(own_cluster: EmbeddedCluster, workers: int) -> None:
    config = {**config_of(own_cluster.seeds), "workers": workers, "watch_config": False}
    with Proxy(config=config) as proxy, ExitStack() as clients:
        restarting = Restarting(proxy)
        try:
            idle = [clients.enter_context(RawClient(proxy.port)) for _ in range(IDLE)]
            with Load(proxy.port, KEYS, many_keys) as load:
                began = time.monotonic()
                for _ in range(RESTARTS):
                    restarting.restart(120)
                    load.go_on(0.2)
                worst = load.journal.worst_latency([key for keys in KEYS for key in keys], began, time.monotonic())
            assert {client.command("PING") for client in idle} == {b"+PONG\r\n"}
            handed = sum(map(int, re.findall(r"(\d+) clients were handed over", proxy.output)))
            assert handed == RESTARTS * (IDLE + len(KEYS))
        finally:
            restarting.end()
    journal = load.journal
    assert (journal.broken, journal.wrong, journal.errors()) == ([], [], [])
    figures.note("a restart of the program", f"clients handed over, {workers} worker(s)", str(handed))
    figures.note("a restart of the program", f"commands meanwhile, {workers} worker(s)", str(len(journal.entries)))
    figures.note("a restart of the program", f"longest wait, {workers} worker(s)", f"{worst * 1000:.0f} ms")
    figures.note("a restart of the program", "commands that failed, connections lost", "0")
