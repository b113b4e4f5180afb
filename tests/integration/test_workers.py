"""Several workers on one port, and their supervisor."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from tests.support.client import RawClient, pack
from tests.support.installed import needs_7
from tests.support.proxy import Proxy
from tests.support.waiting import await_true


@pytest.fixture
def crew(cluster: EmbeddedCluster) -> Iterator[Proxy]:
    with Proxy(["--seed", cluster.seeds, "--workers", "2"]) as proxy:
        yield proxy


def children_of(pid: int) -> set[int]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return {int(child) for child, parent in (line.split() for line in listing.splitlines()) if int(parent) == pid}


def test_metrics_are_the_sum_of_both(crew: Proxy) -> None:
    with ExitStack() as clients:
        connections = [clients.enter_context(crew.client()) for _ in range(40)]
        for connection in connections:
            assert connection.pipeline([("SET", "a", "1")] * 25) == [b"+OK\r\n"] * 25
        metrics = crew.metrics()
    assert metrics.total("rproxy_commands_total", command="set", result="success") == 1000
    assert metrics.total("rproxy_downstream_connections_active") == 40
    assert metrics.total("rproxy_workers_configured") == 2


def test_a_killed_worker_is_replaced(crew: Proxy) -> None:
    before = children_of(crew.pid)
    assert len(before) >= 2
    with ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(crew.client()).command("SET", "a", "1")
        victim = max(before)
        os.kill(victim, signal.SIGKILL)
    await_true(lambda: crew.metrics().total("rproxy_worker_restarts_total") == 1)
    await_true(lambda: crew.metrics().total("rproxy_workers_alive") == 2)
    assert victim not in children_of(crew.pid)
    for _ in range(40):
        with RawClient(crew.port) as client:
            assert client.command("SET", "a", "2") == b"+OK\r\n"


def test_every_client_has_its_own_id(crew: Proxy) -> None:
    with ExitStack() as clients:
        connections = [clients.enter_context(crew.client()) for _ in range(40)]
        assert len({connection.command("CLIENT", "ID") for connection in connections}) == 40


def test_sigterm_ends_all_of_them(crew: Proxy) -> None:
    workers = children_of(crew.pid)
    assert crew.terminate() == 0
    assert not [pid for pid in workers if is_alive(pid)]
    assert "Traceback" not in crew.output


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_clients_are_spread_evenly(crew: Proxy) -> None:
    with ExitStack() as clients:
        connections = [clients.enter_context(crew.client()) for _ in range(100)]
        numbers = [int(connection.command("CLIENT", "ID")[1:]) for connection in connections]
    assert 45 <= sum(number % 2 for number in numbers) <= 55


def test_the_log_of_denials_is_of_both(crew: Proxy) -> None:
    with ExitStack() as clients:
        connections = [clients.enter_context(crew.client()) for _ in range(20)]
        for connection in connections:
            assert connection.command("AUTH", "nobody", "x").startswith(b"-WRONGPASS ")
        log = connections[0].command("ACL", "LOG")
        assert log.startswith(b"*1\r\n*14\r\n$5\r\ncount\r\n:20\r\n")
        assert connections[1].command("ACL", "LOG", "RESET") == b"+OK\r\n"
        assert [connection.command("ACL", "LOG") for connection in connections] == [b"*0\r\n"] * 20


def test_clients_of_all_workers_are_listed_and_killed(crew: Proxy) -> None:
    with ExitStack() as clients:
        connections = [clients.enter_context(crew.client()) for _ in range(12)]
        ids = {int(connection.command("CLIENT", "ID")[1:]) for connection in connections}
        assert {number % 2 for number in ids} == {0, 1}, "the clients are not spread over both workers"
        listed = connections[0].command("CLIENT", "LIST")
        assert {int(line.split()[0].removeprefix(b"id=")) for line in listed.splitlines()[1:-1] if line} == ids
        assert connections[0].command("CLIENT", "KILL", "TYPE", "normal") == b":11\r\n"
        assert [connection.read_to_end() for connection in connections[1:]] == [b""] * 11
        assert connections[0].command("PING") == b"+PONG\r\n"


def test_a_blocked_client_of_another_worker_is_unblocked(crew: Proxy) -> None:
    with ExitStack() as clients:
        connections = [clients.enter_context(crew.client()) for _ in range(12)]
        numbers = [int(connection.command("CLIENT", "ID")[1:]) for connection in connections]
        here, there = (next(at for at, number in enumerate(numbers) if number % 2 == half) for half in (0, 1))
        connections[there].send(b"BLPOP nothing 0\r\n")
        unblock = ("CLIENT", "UNBLOCK", numbers[there], "ERROR")
        await_true(lambda: connections[here].command(*unblock) == b":1\r\n")
        assert connections[there].read_reply() == b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"


@needs_7("sharded channels came with Redis 7.0")
def test_the_subscribers_at_all_workers_are_counted(crew: Proxy) -> None:
    with ExitStack() as clients:
        connections = [clients.enter_context(crew.client()) for _ in range(14)]
        numbers = [int(connection.command("CLIENT", "ID")[1:]) for connection in connections]
        publishers = [
            connections[next(at for at, number in enumerate(numbers) if number % 2 == half)] for half in (0, 1)
        ]
        listeners = [connection for connection in connections if connection not in publishers]
        for count, listener in enumerate(listeners, 1):
            verb, topic = (("SUBSCRIBE", "news"), ("PSUBSCRIBE", "n*"), ("SSUBSCRIBE", "news"))[count % 3]
            assert listener.command(verb, topic).endswith(b":1\r\n")
            shard = sum(number % 3 == 2 for number in range(1, count + 1))
            channel = count - shard
            for publisher in publishers:
                assert publisher.command("PUBLISH", "news", "x") == b":%d\r\n" % channel
                assert publisher.command("SPUBLISH", "news", "x") == b":%d\r\n" % shard
        for left, listener in enumerate(listeners[2::3]):  # those of the channel
            listener.send(pack("UNSUBSCRIBE", "news"))
            while not listener.read_reply().startswith(b"*3\r\n$11\r\nunsubscribe"):
                pass
            expected = b":%d\r\n" % (7 - left)  # of who leaves the other worker hears a little later
            for publisher in publishers:
                await_true(lambda by=publisher, count=expected: by.command("PUBLISH", "news", "x") == count)


def test_a_worker_that_is_started_anew_is_told_of_subscribers(crew: Proxy) -> None:
    with ExitStack() as clients:
        connections = [clients.enter_context(crew.client()) for _ in range(14)]
        for connection in connections:
            connection.command("SUBSCRIBE", "news")
        os.kill(max(children_of(crew.pid)), signal.SIGKILL)
        await_true(lambda: crew.metrics().total("rproxy_worker_restarts_total") == 1)
        await_true(lambda: crew.metrics().total("rproxy_workers_alive") == 2)

        def counts() -> set[bytes]:
            with ExitStack() as others:
                publishers = [others.enter_context(crew.client()) for _ in range(8)]
                return {publisher.command("PUBLISH", "news", "x") for publisher in publishers}

        await_true(lambda: counts() == {b":%d\r\n" % crew.metrics().total("rproxy_subscriptions")})


def replace_a_worker(crew: Proxy, clients: list[RawClient]) -> tuple[list[RawClient], list[RawClient]]:
    """Kill a worker and await the next; who of ``clients`` is still there, and as many that are new."""
    dead = max(children_of(crew.pid))
    os.kill(dead, signal.SIGKILL)
    await_true(lambda: crew.metrics().total("rproxy_worker_restarts_total") == 1)
    await_true(lambda: crew.is_ready() and crew.metrics().total("rproxy_workers_alive") == 2)
    left = [client for client in clients if client.is_open()]
    assert 0 < len(left) < len(clients)
    return left, [crew.client() for _ in range(len(clients))]


def test_a_worker_that_is_started_anew_shows_its_commands_to_monitors(crew: Proxy) -> None:
    monitors = [crew.client() for _ in range(8)]
    assert {client.command("MONITOR") for client in monitors} == {b"+OK\r\n"}
    left, new = replace_a_worker(crew, monitors)
    for number, client in enumerate(new):
        assert client.command("SET", f"shown:{number}", "1") == b"+OK\r\n"
    for client in left:
        missing = {b'"shown:%d"' % number for number in range(len(new))}
        while missing:
            missing -= set(client.read_reply().split())
    for client in (*monitors, *new):
        client.close()


def test_a_worker_that_is_started_anew_keeps_the_pause(crew: Proxy) -> None:
    clients = [crew.client() for _ in range(8)]
    assert {client.command("PING") for client in clients} == {b"+PONG\r\n"}
    assert clients[0].command("CLIENT", "PAUSE", "100000", "WRITE") == b"+OK\r\n"
    left, new = replace_a_worker(crew, clients)
    for number, client in enumerate(new):
        client.send(pack("SET", f"paused:{number}", "1"))
    with RawClient(crew.port) as reading:
        for number in range(len(new)):
            assert reading.command("EXISTS", f"paused:{number}") == b":0\r\n"
    assert left[0].command("CLIENT", "UNPAUSE") == b"+OK\r\n"
    assert {client.read_reply() for client in new} == {b"+OK\r\n"}
    for client in (*clients, *new):
        client.close()
