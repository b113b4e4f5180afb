"""A worker is killed: the clients of the others go on, and new ones are accepted all the time."""

import os
import signal
import time

import psutil

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.client import RawClient
from tests.support.load import Load
from tests.support.proxy import Proxy
from tests.support.waiting import await_true

WORKERS = 3


def test_the_clients_of_other_workers_go_on(own_cluster: EmbeddedCluster) -> None:
    with Proxy(["--seed", own_cluster.seeds, "--workers", str(WORKERS)]) as proxy:
        workers = {child.pid: child for child in psutil.Process(proxy.pid).children()}
        with Load(proxy.port, [[f"key:{client}"] for client in range(12)]) as load:
            load.go_on(0.3)
            victim = max(workers.values(), key=lambda child: child.num_fds())
            os.kill(victim.pid, signal.SIGKILL)
            killed_at = time.monotonic()
            await_true(lambda: proxy.metrics().total("rproxy_worker_restarts_total") == 1, 20)
            await_true(lambda: proxy.metrics().total("rproxy_workers_alive") == WORKERS, 20)
            back = time.monotonic() - killed_at
            for _ in range(20):
                with RawClient(proxy.port) as client:
                    # The new worker may still be learning the topology, and says so.
                    await_true(lambda client=client: client.command("SET", "new", "1") == b"+OK\r\n")
            load.go_on(0.3)
        assert len(load.journal.broken) < 12
        assert load.journal.errors() == []
        assert load.journal.wrong == []
    figures.note("a worker is killed", "clients of 12 that lost their connection", str(len(load.journal.broken)))
    figures.note("a worker is killed", "until it is replaced", f"{back * 1000:.0f} ms")
