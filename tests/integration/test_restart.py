"""The program is started anew, and its clients notice nothing: SIGUSR2."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from rproxy.demo.embedded import EmbeddedCluster
from tests.support.certificates import Authority
from tests.support.client import RawClient
from tests.support.load import Load, many_keys
from tests.support.proxy import Proxy, config_of
from tests.support.restarting import Restarting, is_alive
from tests.support.waiting import await_true

OK = b"+OK\r\n"
MANY = 10


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def restarting(request: pytest.FixtureRequest, cluster: EmbeddedCluster) -> Iterator[Restarting]:
    config = {**config_of(cluster.seeds), "workers": request.param, "watch_config": False}
    with Proxy(config=config) as proxy:
        restarting = Restarting(proxy)
        try:
            yield restarting
        finally:
            restarting.end()
        output = proxy.output
    assert "Traceback" not in output
    assert "ERROR" not in output


def test_a_load_notices_nothing(restarting: Restarting) -> None:
    keys = [[f"key-{client}-{number}" for number in range(4)] for client in range(12)]
    with Load(restarting.proxy.port, keys, many_keys) as load:
        load.go_on(0.3)
        restarting.restart()
        load.go_on(0.3)
    journal = load.journal
    assert (journal.broken, journal.wrong, journal.errors()) == ([], [], [])
    assert len(journal.entries) > 1000
    assert len(re.findall(r"listening on", restarting.proxy.output)) == 2


@pytest.mark.parametrize("restarting", [2], indirect=True)
def test_every_command_is_executed_once(restarting: Restarting) -> None:
    """Clients of redis-py, as it comes, and one that never waits for a reply before it sends the next command."""
    port = restarting.proxy.port
    is_over = threading.Event()
    counts = [0] * 4
    failures: list[str] = []

    def count(number: int) -> None:
        client = redis.Redis(port=port)
        try:
            while not is_over.is_set():
                counts[number] += 1
                if client.incr(f"count-{number}") != counts[number]:
                    failures.append(f"count-{number} is not {counts[number]}")
                    return
        except redis.RedisError as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=count, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    with restarting.proxy.client() as pipelining:
        sent = 0
        restarted = threading.Thread(target=restarting.restart)
        restarted.start()
        while restarted.is_alive() or sent < 20_000:
            pipelining.send(b"INCR pipelined\r\n" * 500)
            for number in range(sent + 1, sent + 501):
                assert pipelining.read_reply() == b":%d\r\n" % number
            sent += 500
        restarted.join()
    is_over.set()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert min(counts) > 10
    assert len(restarting.pids) == 2


@pytest.mark.parametrize("restarting", [2], indirect=True)
def test_clients_stay_who_they_are(restarting: Restarting, cluster: EmbeddedCluster) -> None:
    config = restarting.config()
    config["listeners"][0]["redis_proxy"]["users"] = [
        {"name": "default", "rules": "on nopass ~* &* +@all"},
        {"name": "app", "rules": "on >pw ~* &* +@all -flushall"},
    ]
    restarting.write(config)
    os.kill(restarting.pids[-1], signal.SIGHUP)
    await_true(lambda: "another configuration is in force" in restarting.proxy.output)
    with ExitStack() as clients:
        one, three, half, subscriber, publisher = (clients.enter_context(restarting.proxy.client()) for _ in range(5))
        assert one.command("AUTH", "app", "pw") == OK
        assert one.command("CLIENT", "SETNAME", "me") == OK
        assert three.command("HELLO", "3").startswith(b"%")
        assert subscriber.command("SUBSCRIBE", "news").endswith(b":1\r\n")
        ids = [client.command("CLIENT", "ID") for client in (one, three)]
        half.send(b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$10\r\n01234")
        restarting.restart()
        assert [client.command("CLIENT", "ID") for client in (one, three)] == ids
        assert one.command("ACL", "WHOAMI") == b"$3\r\napp\r\n"
        assert one.command("CLIENT", "GETNAME") == b"$2\r\nme\r\n"
        assert one.command("FLUSHALL").startswith(b"-NOPERM ")
        assert three.command("GET", "missing") == b"_\r\n"
        half.send(b"56789\r\n")
        assert half.read_reply() == OK
        assert publisher.command("GET", "half") == b"$10\r\n0123456789\r\n"
        assert publisher.command("PUBLISH", "news", "hello") == b":1\r\n"
        assert subscriber.read_reply().endswith(b"$4\r\nnews\r\n$5\r\nhello\r\n")
        assert subscriber.command("GET", "a").startswith(b"-ERR Can't execute 'get'")
        late = clients.enter_context(restarting.proxy.client())
        assert int(late.command("CLIENT", "ID")[1:]) > max(int(line[1:]) for line in ids)


@pytest.mark.parametrize("restarting", [1], indirect=True)
def test_who_is_in_the_middle_of_something_comes_to_its_end_first(restarting: Restarting) -> None:
    with ExitStack() as clients:
        queueing, watching, other = (clients.enter_context(restarting.proxy.client()) for _ in range(3))
        assert queueing.pipeline([("MULTI",), ("SET", "{a}1", "x")]) == [OK, b"+QUEUED\r\n"]
        assert watching.command("WATCH", "{a}2") == OK
        other.send(b"XREAD BLOCK 0 STREAMS stream $\r\n")
        await_true(lambda: restarting.proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 2)
        restarted = threading.Thread(target=restarting.restart)
        restarted.start()
        await_true(lambda: "is ready and takes over the clients" in restarting.proxy.output, seconds=40)
        assert queueing.command("EXEC") == b"*1\r\n+OK\r\n"
        assert watching.pipeline([("MULTI",), ("SET", "{a}2", "y"), ("EXEC",)])[-1] == b"*1\r\n+OK\r\n"
        with restarting.proxy.client() as new:
            assert new.command("XADD", "stream", "1-1", "key", "value") == b"$3\r\n1-1\r\n"
        assert other.read_reply().startswith(b"*1\r\n*2\r\n$6\r\nstream\r\n")
        restarted.join(60)
        assert len(restarting.pids) == 2
        assert [client.command("PING") for client in (queueing, watching, other)] == [b"+PONG\r\n"] * 3


@pytest.mark.parametrize("restarting", [2], indirect=True)
def test_blocked_clients_wait_on(restarting: Restarting) -> None:
    with ExitStack() as clients:
        blocked = [clients.enter_context(restarting.proxy.client()) for _ in range(MANY)]
        timed = clients.enter_context(restarting.proxy.client())
        for number, client in enumerate(blocked):
            client.send(b"BLPOP list-%d 0\r\nPING\r\n" % number)
        timed.send(b"BLPOP nothing 1\r\n")
        in_use = MANY + 1
        await_true(
            lambda: restarting.proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == in_use
        )
        restarting.restart()
        with restarting.proxy.client() as pushing:
            for number, client in enumerate(blocked):
                assert pushing.command("RPUSH", f"list-{number}", "here") == b":1\r\n"
                assert client.read_reply() == b"*2\r\n$6\r\nlist-%d\r\n$4\r\nhere\r\n" % number
                assert client.read_reply() == b"+PONG\r\n"
        assert timed.read_reply() == b"*-1\r\n"


def test_another_number_of_workers_is_in_force_then(restarting: Restarting) -> None:
    config = restarting.config()
    config["workers"] = 3 - config["workers"]
    restarting.write(config)
    with ExitStack() as clients:
        connections = [clients.enter_context(restarting.proxy.client()) for _ in range(MANY)]
        restarting.restart()
        assert [client.command("SET", "a", "1") for client in connections] == [OK] * MANY
        connections += [clients.enter_context(restarting.proxy.client()) for _ in range(MANY)]
        assert [client.command("SET", "a", "1") for client in connections] == [OK] * 2 * MANY
        metrics = restarting.proxy.metrics()
        assert metrics.total("rproxy_workers_alive") == config["workers"]
        assert metrics.total("rproxy_downstream_connections_active") == 2 * MANY


def test_one_that_cannot_serve_leaves_the_first_in_its_place(cluster: EmbeddedCluster) -> None:
    with Proxy(config={**config_of(cluster.seeds), "watch_config": False}) as proxy:
        restarting = Restarting(proxy)
        good = proxy.config_file.read_text()
        with proxy.client() as client:
            proxy.config_file.write_text("nonsense: 1\n")
            restarting.ask()
            await_true(lambda: "this rproxy goes on: the other rproxy has ended" in proxy.output, seconds=40)
            assert "nonsense: unknown key" in proxy.output
            assert client.command("SET", "a", "1") == OK
            with proxy.client() as another:
                assert another.command("GET", "a") == b"$1\r\n1\r\n"
            proxy.config_file.write_text(good)
            restarting.restart()
            assert client.command("GET", "a") == b"$1\r\n1\r\n"
            restarting.end()


@pytest.mark.parametrize("restarting", [2], indirect=True)
def test_subscribers_miss_no_message(restarting: Restarting) -> None:
    with ExitStack() as clients:
        subscribers = [clients.enter_context(restarting.proxy.client()) for _ in range(4)]
        for subscriber in subscribers:
            assert subscriber.command("SUBSCRIBE", "news").endswith(b":1\r\n")
        restarted = threading.Thread(target=restarting.restart)
        restarted.start()
        published = 0
        with redis.Redis(port=restarting.proxy.port) as publisher:
            while restarted.is_alive() or published < 100:
                publisher.publish("news", f"<{published}>")
                published += 1
            publisher.publish("news", "<the end>")
        restarted.join()
        for subscriber in subscribers:
            heard = [_text_of(subscriber.read_reply())]
            while heard[-1] != "<the end>":
                heard.append(_text_of(subscriber.read_reply()))
            assert set(heard) == {*(f"<{number}>" for number in range(published)), "<the end>"}


def _text_of(message: bytes) -> str:
    return message.split(b"\r\n")[-2].decode()


def test_over_tls_clients_connect_again_without_an_error(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("server")
    config = {**config_of(cluster.seeds), "watch_config": False}
    config["listeners"][0]["tls"] = {"cert_file": pair.cert_file, "key_file": pair.key_file}
    with Proxy(config=config) as proxy:
        restarting = Restarting(proxy)
        client = redis.Redis(port=proxy.port, ssl=True, ssl_ca_certs=authority.cert_file)
        counted = 0
        restarted = threading.Thread(target=restarting.restart)
        restarted.start()
        while restarted.is_alive() or counted < 100:
            counted += 1
            assert client.incr("count") == counted
        restarted.join()
        client.close()
        assert len(restarting.pids) == 2
        restarting.end()


def test_a_unix_socket_stays_where_it_is(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    config = {**config_of(cluster.seeds), "watch_config": False}
    config["listeners"].append({**config["listeners"][0], "name": "unix", "address": f"unix:{path}"})
    with Proxy(config=config) as proxy:
        restarting = Restarting(proxy)
        with redis.Redis(unix_socket_path=str(path)) as client:
            assert client.client_id()
            restarting.restart()
            assert client.set("a", "1")
        with redis.Redis(unix_socket_path=str(path)) as client:
            assert client.get("a") == b"1"
        restarting.end()
        assert not path.exists()


def _process_of(client: RawClient) -> bytes:
    """The process that serves ``client`` now."""
    return client.command("INFO", "server").partition(b"process_id:")[2].partition(b"\r\n")[0]


@pytest.mark.parametrize("restarting", [2], indirect=True)
def test_who_publishes_waits_for_subscribers_and_for_no_other_client(restarting: Restarting) -> None:
    """One that watches cannot be handed over, and the old process stays for it."""
    proxy = restarting.proxy
    with proxy.client() as watching, proxy.client() as subscriber, proxy.client() as publisher:
        assert watching.command("WATCH", "watched") == OK
        assert subscriber.command("SUBSCRIBE", "news").endswith(b":1\r\n")
        before = _process_of(publisher)
        successor = restarting.ask()
        await_true(lambda: _process_of(publisher) != before)
        assert publisher.command("PUBLISH", "news", "new").startswith(b":")  # around that moment more are counted
        assert subscriber.read_reply().endswith(b"$3\r\nnew\r\n")
        assert is_alive(restarting.pid)
        assert watching.command("UNWATCH") == OK
        assert proxy.await_end(30) == 0
        restarting.pids.append(successor)
