"""Clients that ask for much and do not read: they wait, cost what they may, and get every byte in the end."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support import figures
from tests.support.client import RawClient, pack
from tests.support.load import Load
from tests.support.memory import Peak
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

LIMIT = 64 * 2**20
"""What one client may take by default."""
OVERHEAD = 16 * 2**20
"""What the process may grow by besides: buffers of other clients, the allocator, the interpreter."""
KEYS = 12
MUCH = 2 * 10**9
PATIENCE = 120.0


def value_of(number: int, size: int) -> bytes:
    """A value unlike the others, whose bytes differ all along."""
    block = hashlib.sha256(b"%d" % number).digest() * 64
    return (block * (size // len(block) + 1))[:size]


def fill(proxy: Proxy, size: int) -> list[bytes]:
    """Values of ``size`` bytes under the keys ``big:0`` and on; the replies to GETs of them."""
    values = [value_of(number, size) for number in range(KEYS)]
    with RawClient(proxy.port, timeout=PATIENCE) as client:
        for number, value in enumerate(values):
            assert client.command("SET", f"big:{number}", value) == b"+OK\r\n"
    return [b"$%d\r\n%b\r\n" % (size, value) for value in values]


def is_still(proxy: Proxy) -> bool:
    """Whether nothing more comes from the nodes but for the clients that read."""
    name = "rproxy_upstream_received_bytes_total"
    before = proxy.metrics().total(name)
    time.sleep(0.3)
    return proxy.metrics().total(name) - before < 2**20


def ask_and_wait(proxy: Proxy, size: int, total: int, *, paused_for: float) -> tuple[int, Load]:
    """Ask for values of ``size`` bytes, ``total`` in all, read after a pause and verify; how much memory that took."""
    wanted = fill(proxy, size)
    count = total // size
    commands = b"".join(pack("GET", f"big:{number % KEYS}") for number in range(count))
    with Load(proxy.port, [[f"other:{client}"] for client in range(4)]) as load:
        load.go_on(0.3)
        with Peak(proxy.pid) as memory, RawClient(proxy.port, timeout=PATIENCE) as client:
            asking = threading.Thread(target=client.send, args=(commands,))
            asking.start()
            await_true(lambda: is_still(proxy), 30.0)
            load.go_on(paused_for)
            for number in range(count):
                assert client.read_reply() == wanted[number % KEYS], (number, proxy.output)
            asking.join()
            assert client.command("PING") == b"+PONG\r\n"
    return memory.growth, load


def check(proxy: Proxy, load: Load, growth: int) -> None:
    assert load.journal.wrong == []
    assert load.journal.errors() == []
    assert load.journal.broken == []
    assert growth < LIMIT + OVERHEAD
    assert "Traceback" not in proxy.output


def test_a_client_that_does_not_read_costs_what_it_may(proxy: Proxy) -> None:
    growth, load = ask_and_wait(proxy, 100_000, 200_000_000, paused_for=0.2)
    check(proxy, load, growth)


def test_so_does_one_whose_replies_are_large(proxy: Proxy) -> None:
    growth, load = ask_and_wait(proxy, 5_000_000, 200_000_000, paused_for=0.2)
    check(proxy, load, growth)


@figures.whole_suite
@pytest.mark.parametrize(("size", "name"), [(100_000, "100 KB"), (10_000_000, "10 MB")])
def test_it_may_be_two_gigabytes(proxy: Proxy, size: int, name: str) -> None:
    growth, load = ask_and_wait(proxy, size, MUCH, paused_for=8.0)  # longer than any deadline
    check(proxy, load, growth)
    figures.note("a client does not read", f"memory, of 2 GB of replies of {name} each", f"{growth / 2**20:.0f} MiB")


def test_one_that_takes_nothing_for_too_long_is_closed(cluster: EmbeddedCluster) -> None:
    config = config_of(cluster.seeds)
    config["listeners"][0]["limits"] = {"output_buffer_limit": "8MiB", "slow_client_timeout": "1s"}
    with Proxy(config=config) as proxy:
        fill(proxy, 2_000_000)
        with Load(proxy.port, [["other"]]) as load, RawClient(proxy.port, timeout=PATIENCE) as client:
            client.send(pack("GET", "big:0") * 30)
            name = "rproxy_downstream_connections_given_up_total"
            await_true(lambda: proxy.metrics().total(name, listener="redis"), 30.0)
            client.read_to_end()
        assert proxy.metrics().total(name) == 1
        assert "is closed: it " in proxy.output
        assert (load.journal.wrong, load.journal.errors(), load.journal.broken) == ([], [], [])
