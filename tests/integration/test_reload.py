"""Another configuration while clients go on: on SIGHUP, and when the file changes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.ports import free_port
from tests.support.client import RawClient, pack
from tests.support.load import Load, many_keys
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

OK = b"+OK\r\n"
MANY = 10
"""Clients that are at both of two workers."""


class Reloading:
    """A proxy, and its configuration, which is to be changed."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.config: dict[str, Any] = yaml.safe_load(proxy.config_file.read_text())

    def write(self) -> None:
        self.proxy.config_file.write_text(yaml.safe_dump(self.config, sort_keys=False))

    def apply(self, result: str = "success") -> None:
        """Have the configuration applied as it is now, and wait until that is done."""
        self.write()
        before = self.count(result)
        self.proxy.send_signal(signal.SIGHUP)
        await_true(lambda: self.count(result) == before + 1, seconds=40)

    def count(self, result: str) -> float:
        return self.proxy.metrics().total("rproxy_config_reloads_total", result=result)

    def is_good(self) -> bool:
        return self.proxy.metrics().total("rproxy_config_last_reload_successful") == 1

    @property
    def listener(self) -> dict[str, Any]:
        return self.config["listeners"][0]

    @property
    def settings(self) -> dict[str, Any]:
        return self.listener["redis_proxy"]["settings"]

    @property
    def routes(self) -> dict[str, Any]:
        return self.listener["redis_proxy"]["prefix_routes"]

    @property
    def cluster(self) -> dict[str, Any]:
        return self.config["clusters"][0]

    def add_standalone(self, name: str, redis: EmbeddedRedis) -> None:
        self.config["clusters"].append({"name": name, "type": "standalone", "endpoints": [redis.address]})

    def remove(self, name: str) -> None:
        self.config["clusters"] = [each for each in self.config["clusters"] if each["name"] != name]

    def add_listener(self, port: int) -> None:
        added = {**self.listener, "name": f"on-{port}", "address": f"127.0.0.1:{port}"}
        self.config["listeners"].append(added)


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def reloading(request: pytest.FixtureRequest, cluster: EmbeddedCluster) -> Iterator[Reloading]:
    config = {**config_of(cluster.seeds), "workers": request.param, "watch_config": False}
    with Proxy(config=config) as proxy:
        yield Reloading(proxy)
        output = proxy.output
    assert "Traceback" not in output


def refuses(port: int) -> bool:
    try:
        with closing(RawClient(port)):
            return False
    except ConnectionRefusedError:
        return True


def test_clients_notice_none_of_many_changes(reloading: Reloading, standalone: EmbeddedRedis) -> None:
    seeds = list(reloading.cluster["endpoints"])
    port = free_port()

    def other_timeouts() -> None:
        reloading.settings.update(op_timeout="4s", read_policy="prefer_primary")

    def other_connections() -> None:
        reloading.cluster.update(connections_per_endpoint=3, connect_timeout="1s", cluster_refresh_rate="2s")

    def other_seeds() -> None:
        reloading.cluster["endpoints"] = seeds[-1:]

    def mirrored() -> None:
        reloading.add_standalone("copy", standalone)
        reloading.routes["catch_all_route"]["request_mirror_policy"] = [{"cluster": "copy"}]

    def routed() -> None:
        del reloading.routes["catch_all_route"]["request_mirror_policy"]
        reloading.routes["routes"] = [{"prefix": "elsewhere:", "cluster": "copy"}]

    def routed_no_more() -> None:
        del reloading.routes["routes"]
        reloading.remove("copy")

    def other_limits() -> None:
        reloading.listener["limits"] = {"max_in_flight_per_client": 3, "max_clients": 500}
        reloading.config["log_level"] = "warning"

    def one_listener_more() -> None:
        reloading.add_listener(port)

    def renamed() -> None:
        reloading.config["listeners"].pop()
        reloading.listener["name"] = "main"

    changes = [
        other_timeouts,
        other_connections,
        other_seeds,
        mirrored,
        routed,
        routed_no_more,
        other_limits,
        one_listener_more,
        renamed,
    ]
    keys = [[f"key-{client}-{number}" for number in range(4)] for client in range(12)]
    with Load(reloading.proxy.port, keys, many_keys) as load:
        for change in changes:
            change()
            load.go_on(0.2)
            reloading.apply()
        load.go_on(0.3)
    journal = load.journal
    assert (journal.broken, journal.wrong, journal.errors()) == ([], [], [])
    assert len(journal.entries) > 1000
    metrics = reloading.proxy.metrics()
    assert metrics.total("rproxy_commands_total", cluster="main", command="mset") >= sum(
        entry.command == "MSET" for entry in journal.entries
    )
    assert metrics.total("rproxy_mirror_sent_total", cluster="copy") > 0
    assert {each["name"] for each in reloading.proxy.clusters()} == {"main"}


@pytest.mark.parametrize("reloading", [1], indirect=True)
def test_who_blocks_goes_on_to_block(reloading: Reloading) -> None:
    """Longer than any request may take, on the connection that it has; it can still be unblocked."""
    reloading.settings["op_timeout"] = "0.2s"
    reloading.apply()
    proxy = reloading.proxy
    with proxy.client() as first, proxy.client() as second, proxy.client() as other:
        second_id = int(second.command("CLIENT", "ID")[1:])
        first.send(pack("BLPOP", "{block}first", "0"))
        second.send(pack("BLPOP", "{block}second", "0"))
        await_true(lambda: proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 2)
        reloading.cluster["max_parked"] = 1234
        reloading.apply()
        time.sleep(1.0)  # five times as long
        assert other.command("CLIENT", "UNBLOCK", second_id) == b":1\r\n"
        assert second.read_reply() == b"*-1\r\n"
        assert other.command("RPUSH", "{block}first", "value") == b":1\r\n"
        assert first.read_reply() == b"*2\r\n$12\r\n{block}first\r\n$5\r\nvalue\r\n"


@pytest.mark.parametrize("reloading", [1], indirect=True)
def test_a_pipeline_keeps_its_order(reloading: Reloading) -> None:
    appended = [("APPEND", "log", f"{number},") for number in range(20_000)]
    with RawClient(reloading.proxy.port) as client:
        reloading.cluster["connections_per_endpoint"] = 2
        reloading.write()
        client.send(
            b"".join(
                b"*3\r\n$6\r\nAPPEND\r\n$3\r\nlog\r\n$%d\r\n%b\r\n" % (len(text), text.encode())
                for _, _, text in appended[:10_000]
            )
        )
        reloading.proxy.send_signal(signal.SIGHUP)
        client.send(
            b"".join(
                b"*3\r\n$6\r\nAPPEND\r\n$3\r\nlog\r\n$%d\r\n%b\r\n" % (len(text), text.encode())
                for _, _, text in appended[10_000:]
            )
        )
        for _ in appended:
            assert client.read_reply().startswith(b":")
        whole = "".join(text for _, _, text in appended)
        assert client.command("GET", "log") == f"${len(whole)}\r\n{whole}\r\n".encode()
    await_true(lambda: reloading.count("success") == 1)


@pytest.mark.parametrize("reloading", [1], indirect=True)
def test_a_bad_file_is_refused_with_every_error(reloading: Reloading) -> None:
    with reloading.proxy.client() as client:
        reloading.config["log_level"] = "loud"
        reloading.cluster["conect_timeout"] = "1s"
        reloading.apply("failure")
        file = reloading.proxy.config_file
        assert f"{file}:" in reloading.proxy.output
        assert "log_level: must be 'debug', 'info', 'warning' or 'error'" in reloading.proxy.output
        assert "clusters[0].conect_timeout: unknown key; did you mean connect_timeout?" in reloading.proxy.output
        assert not reloading.is_good()
        assert client.command("SET", "a", "1") == OK
        reloading.config["log_level"] = "info"
        del reloading.cluster["conect_timeout"]
        reloading.apply()
        assert reloading.is_good()
        assert client.command("GET", "a") == b"$1\r\n1\r\n"


@pytest.mark.parametrize("reloading", [2], indirect=True)
def test_an_address_in_use_refuses_all_of_it(reloading: Reloading, standalone: EmbeddedRedis) -> None:
    reloading.add_listener(standalone.port)
    reloading.config["listeners"].insert(
        1, {**reloading.listener, "name": "free", "address": f"127.0.0.1:{free_port()}"}
    )
    reloading.apply("failure")
    assert f"cannot listen on {standalone.address}: address already in use" in reloading.proxy.output
    assert refuses(int(reloading.config["listeners"][1]["address"].partition(":")[2]))


@pytest.mark.parametrize("reloading", [2], indirect=True)
def test_listeners_come_move_and_go(reloading: Reloading) -> None:
    second, moved = free_port(), free_port()
    reloading.add_listener(second)
    reloading.apply()
    with ExitStack() as clients:
        first = [clients.enter_context(reloading.proxy.client()) for _ in range(MANY)]
        others = [clients.enter_context(RawClient(second)) for _ in range(MANY)]
        assert [client.command("SET", "a", "1") for client in first + others] == [OK] * 2 * MANY
        reloading.config["listeners"].pop()
        reloading.listener["address"] = f"127.0.0.1:{moved}"
        reloading.apply()
        assert [client.command("SET", "a", "1") for client in first] == [OK] * MANY
        assert [client.read_to_end() for client in others] == [b""] * MANY
    await_true(lambda: refuses(second) and refuses(reloading.proxy.port))
    with RawClient(moved) as client:
        assert client.command("GET", "a") == b"$1\r\n1\r\n"


@pytest.mark.parametrize("reloading", [1], indirect=True)
def test_what_clients_are_in_the_middle_of_goes_on(reloading: Reloading) -> None:
    with ExitStack() as clients:
        watching, queueing, blocked, other = (clients.enter_context(reloading.proxy.client()) for _ in range(4))
        assert watching.command("WATCH", "{a}watched") == OK
        assert watching.pipeline([("MULTI",), ("SET", "{a}1", "x")]) == [OK, b"+QUEUED\r\n"]
        assert queueing.pipeline([("MULTI",), ("SET", "{a}2", "x")]) == [OK, b"+QUEUED\r\n"]
        blocked.send(b"BLPOP list 0\r\n")
        await_true(lambda: "blpop" in str(other.command("CLIENT", "LIST")))
        await_true(lambda: reloading.proxy.metrics().total("rproxy_upstream_pinned_connections", state="in_use") == 2)
        reloading.cluster["connect_timeout"] = "2s"
        reloading.settings["op_timeout"] = "3s"
        reloading.apply()
        assert watching.pipeline([("SET", "{a}3", "y"), ("EXEC",)]) == [b"+QUEUED\r\n", b"*2\r\n+OK\r\n+OK\r\n"]
        assert queueing.pipeline([("SET", "{a}4", "y"), ("EXEC",)]) == [b"+QUEUED\r\n", b"*2\r\n+OK\r\n+OK\r\n"]
        assert other.command("RPUSH", "list", "here") == b":1\r\n"
        assert blocked.read_reply() == b"*2\r\n$4\r\nlist\r\n$4\r\nhere\r\n"
        assert blocked.command("PING") == b"+PONG\r\n"


@pytest.mark.parametrize("reloading", [2], indirect=True)
def test_subscriptions_follow_the_routes(reloading: Reloading, standalone: EmbeddedRedis) -> None:
    with ExitStack() as clients:
        subscribers = [clients.enter_context(reloading.proxy.client()) for _ in range(MANY)]
        for subscriber in subscribers:
            assert subscriber.command("SUBSCRIBE", "news").endswith(b":1\r\n")
        publisher = clients.enter_context(reloading.proxy.client())

        def heard(text: str) -> None:
            publisher.command("PUBLISH", "news", text)
            for subscriber in subscribers:
                assert subscriber.read_reply().endswith(f"{text}\r\n".encode())

        reloading.cluster["connections_per_endpoint"] = 2
        reloading.apply()
        heard("one")
        reloading.add_standalone("other", standalone)
        reloading.routes["catch_all_route"]["cluster"] = "other"
        reloading.remove("main")
        reloading.apply()
        await_true(lambda: standalone.call("PUBSUB", "NUMSUB", "news")[1] == reloading.config["workers"])
        await_true(lambda: {each["name"] for each in reloading.proxy.clusters()} == {"other"})
        heard("two")


@pytest.mark.parametrize("reloading", [1], indirect=True)
def test_users_and_their_passwords_are_read_again(reloading: Reloading) -> None:
    secret = reloading.proxy.config_file.with_name("secret")
    secret.write_text("first\n")
    with ExitStack() as clients:
        open_before = clients.enter_context(reloading.proxy.client())
        assert open_before.command("SET", "a", "1") == OK
        proxy = reloading.listener["redis_proxy"]
        proxy["downstream_auth_password_files"] = ["secret"]
        proxy["users"] = [{"name": "app", "rules": "on >pw ~* &* +@all"}, {"name": "gone", "rules": "on >pw ~* +@all"}]
        reloading.apply()
        assert open_before.command("GET", "a").startswith(b"-NOAUTH ")
        assert open_before.command("AUTH", "first") == OK
        app, gone, hears, overhears = (clients.enter_context(reloading.proxy.client()) for _ in range(4))
        for subscriber, channel in ((hears, "news"), (overhears, "secrets")):
            assert subscriber.command("AUTH", "app", "pw") == OK
            assert subscriber.command("SUBSCRIBE", channel).endswith(b":1\r\n")
        assert app.command("AUTH", "app", "pw") == OK
        assert gone.command("AUTH", "gone", "pw") == OK
        secret.write_text("second\n")
        proxy["users"] = [{"name": "app", "rules": "on >pw ~* &news +@read +subscribe +ping"}]
        reloading.apply()
        assert open_before.command("GET", "a") == b"$1\r\n1\r\n"
        assert app.command("GET", "a") == b"$1\r\n1\r\n"
        assert app.command("SET", "a", "2").startswith(b"-NOPERM ")
        assert gone.read_to_end() == overhears.read_to_end() == b""
        assert hears.command("PING").startswith(b"*2\r\n$4\r\npong\r\n")
        late = clients.enter_context(reloading.proxy.client())
        assert late.command("AUTH", "first").startswith(b"-WRONGPASS ")
        assert late.command("AUTH", "second") == OK
    assert "second" not in reloading.proxy.output


@pytest.mark.parametrize("reloading", [1], indirect=True)
def test_the_admin_server_moves(reloading: Reloading) -> None:
    before = reloading.proxy.admin_port
    reloading.config["admin"]["address"] = f"127.0.0.1:{free_port()}"
    reloading.write()
    reloading.proxy.admin_port = int(reloading.config["admin"]["address"].partition(":")[2])
    reloading.proxy.send_signal(signal.SIGHUP)
    await_true(reloading.proxy.is_ready)
    await_true(lambda: refuses(before))
    assert str(reloading.proxy.admin_port) in reloading.proxy.admin("/config_dump")[1]


@pytest.mark.parametrize("reloading", [1], indirect=True)
def test_another_number_of_workers_needs_a_restart(reloading: Reloading) -> None:
    workers = reloading.config["workers"]
    reloading.config["workers"] = 5
    reloading.settings["op_timeout"] = "3s"
    reloading.apply()
    assert f"workers stays {workers}" in reloading.proxy.output
    assert reloading.proxy.metrics().total("rproxy_workers_configured") == workers
    assert '"op_timeout": "3s"' in reloading.proxy.admin("/config_dump")[1]


@pytest.mark.parametrize("reloading", [2], indirect=True)
def test_nothing_grows(reloading: Reloading) -> None:
    def figures() -> tuple[float, float]:
        metrics = reloading.proxy.metrics()
        connections = metrics.total("rproxy_upstream_connections_active")
        return connections, metrics.total("rproxy_open_descriptors")

    with ExitStack() as clients:
        connections = [clients.enter_context(reloading.proxy.client()) for _ in range(MANY)]
        port = free_port()

        def go_round(number: int) -> None:
            reloading.cluster["max_parked"] = 1000 + number
            reloading.settings["op_timeout"] = f"{2 + number % 2}s"
            (reloading.add_listener(port) if number % 2 else reloading.config["listeners"].pop())
            reloading.apply()
            for connection in connections:
                assert connection.pipeline([("SET", key, "1") for key in "abcd"]) == [OK] * 4

        go_round(1)
        go_round(2)
        before = figures()
        for number in range(3, 21):
            go_round(number)
        await_true(lambda: figures() <= (before[0], before[1] + 1), seconds=20)


def test_a_worker_that_starts_later_has_the_new_one(cluster: EmbeddedCluster) -> None:
    config = {**config_of(cluster.seeds), "workers": 2, "watch_config": False}
    with Proxy(config=config) as proxy:
        reloading = Reloading(proxy)
        port = free_port()
        reloading.add_listener(port)
        reloading.apply()
        with RawClient(port) as client:
            worker = int(str(client.command("INFO", "server")).partition("process_id:")[2].partition("\\r")[0])
        os.kill(worker, signal.SIGKILL)
        await_true(lambda: proxy.metrics().total("rproxy_worker_restarts_total") == 1, seconds=20)
        await_true(lambda: proxy.metrics().total("rproxy_workers_alive") == 2, seconds=20)
        with ExitStack() as clients:
            connections = [clients.enter_context(RawClient(port)) for _ in range(MANY)]
            await_true(proxy.is_ready, seconds=20)
            assert [connection.command("SET", "a", "1") for connection in connections] == [OK] * MANY


def test_a_directory_that_is_swapped_is_seen(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    """As Kubernetes changes a ConfigMap: the file is a link into a directory, which is a link that is replaced."""
    with Proxy(config=config_of(cluster.seeds)) as template:
        reloading = Reloading(template)
    for name, op_timeout in (("..one", "3s"), ("..two", "4s")):
        (tmp_path / name).mkdir()
        reloading.settings["op_timeout"] = op_timeout
        (tmp_path / name / "rproxy.yaml").write_text(yaml.safe_dump(reloading.config))
        os.utime(tmp_path / name / "rproxy.yaml", (1e9, 1e9))
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "rproxy.yaml").symlink_to("..data/rproxy.yaml")
    with Proxy(file=tmp_path / "rproxy.yaml", port=template.port, admin_port=template.admin_port) as proxy:
        (tmp_path / "..new").symlink_to("..two")
        (tmp_path / "..new").rename(tmp_path / "..data")
        await_true(lambda: proxy.metrics().total("rproxy_config_reloads_total", result="success") == 1, seconds=40)
        assert "listener redis: redis_proxy changed" in proxy.output
        assert '"op_timeout": "4s"' in proxy.admin("/config_dump")[1]


def test_without_a_file_there_is_nothing_to_reload(cluster: EmbeddedCluster) -> None:
    with Proxy(["--seed", cluster.seeds]) as proxy:
        proxy.send_signal(signal.SIGHUP)
        await_true(lambda: "SIGHUP: the configuration came from the command line" in proxy.output)
        with proxy.client() as client:
            assert client.command("PING") == b"+PONG\r\n"
