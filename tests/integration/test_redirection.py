"""Slots that move between nodes while clients use them: MOVED, ASK and TRYAGAIN stay inside rproxy."""

from collections.abc import Iterator

import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.redis_process import RedisProcess
from rproxy.topology.slots import hash_slot
from tests.support.client import RawClient, pack
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true

SLOW_REFRESH = {"cluster_refresh_rate": "3600s", "redirect_refresh_interval": "3600s", "redirect_refresh_threshold": 0}
"""Settings under which only redirections tell rproxy that a slot has moved."""


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(primaries=3, replicas=0) as cluster:
        yield cluster


@pytest.fixture
def own_proxy(own_cluster: EmbeddedCluster) -> Iterator[Proxy]:
    with Proxy(config=config_of(own_cluster.seeds, cluster=SLOW_REFRESH)) as proxy:
        yield proxy


@pytest.fixture
def client(own_proxy: Proxy) -> Iterator[RawClient]:
    with own_proxy.client() as connection:
        yield connection


class Move:
    """The slot of ``tag`` on its way from its node to another one."""

    def __init__(self, cluster: EmbeddedCluster, tag: str) -> None:
        self.slot = hash_slot(tag.encode())
        self.source = cluster.primary_of(tag)
        self.target = next(node for node in cluster.nodes if node is not self.source)
        self._nodes = cluster.nodes

    def begin(self) -> None:
        """The target imports, then the source migrates, as ``redis-cli --cluster reshard`` does."""
        source, target = node_id(self.source), node_id(self.target)
        self.target.call("CLUSTER", "SETSLOT", self.slot, "IMPORTING", source)
        self.source.call("CLUSTER", "SETSLOT", self.slot, "MIGRATING", target)

    def carry(self, *keys: str) -> None:
        """Move keys to the target."""
        self.source.call("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *keys)

    def finish(self) -> None:
        """Move what is left; from now on the slot is the target's."""
        while keys := self.source.call("CLUSTER", "GETKEYSINSLOT", self.slot, 100):
            self.source.call("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *keys)
        for node in (self.target, self.source):
            node.call("CLUSTER", "SETSLOT", self.slot, "NODE", node_id(self.target))


def node_id(node: RedisProcess) -> str:
    identity: bytes = node.call("CLUSTER", "MYID")
    return identity.decode()


def redirections(proxy: Proxy, kind: str) -> float:
    return proxy.metrics().total("rproxy_redirections_total", cluster="main", kind=kind)


def test_ask_is_followed_and_does_not_change_the_map(
    own_cluster: EmbeddedCluster, own_proxy: Proxy, client: RawClient
) -> None:
    move = Move(own_cluster, "ask")
    client.command("SET", "{ask}old", "1")
    move.begin()
    assert client.command("GET", "{ask}old") == b"$1\r\n1\r\n"
    assert redirections(own_proxy, "ask") == 0
    assert client.command("SET", "{ask}new", "2") == b"+OK\r\n"
    assert client.command("GET", "{ask}new") == b"$1\r\n2\r\n"
    assert client.command("GET", "{ask}none") == b"$-1\r\n"
    assert redirections(own_proxy, "ask") == 3
    assert redirections(own_proxy, "moved") == 0
    with move.target.connect() as target:
        assert target.call_all([("ASKING",), ("GET", "{ask}new")]) == [b"OK", b"2"]
    assert client.command("GET", "{ask}old") == b"$1\r\n1\r\n"
    move.finish()
    assert client.command("MGET", "{ask}old", "{ask}new") == b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"


def test_moved_is_followed_once_and_remembered(
    own_cluster: EmbeddedCluster, own_proxy: Proxy, client: RawClient
) -> None:
    move = Move(own_cluster, "moved")
    client.command("SET", "{moved}a", "1")
    move.begin()
    move.finish()
    assert client.command("GET", "{moved}a") == b"$1\r\n1\r\n"
    assert redirections(own_proxy, "moved") == 1
    assert client.command("SET", "{moved}b", "2") == b"+OK\r\n"
    assert client.command("GET", "{moved}b") == b"$1\r\n2\r\n"
    assert redirections(own_proxy, "moved") == 1
    assert set(move.target.call("CLUSTER", "GETKEYSINSLOT", move.slot, 9)) == {b"{moved}a", b"{moved}b"}


def test_a_pipeline_over_a_moved_slot_keeps_its_order(own_cluster: EmbeddedCluster, client: RawClient) -> None:
    client.command("SET", "{order}count", "0")
    move = Move(own_cluster, "order")
    move.begin()
    move.finish()
    commands: list[tuple[str, ...]] = []
    for number in range(300):
        commands += [("INCR", "{order}count"), ("SET", f"other:{number}", "x"), ("GET", "{order}count")]
    replies = client.pipeline([*commands])
    assert replies[::3] == [b":%d\r\n" % number for number in range(1, 301)]
    assert replies[2::3] == [b"$%d\r\n%d\r\n" % (len(str(number)), number) for number in range(1, 301)]


def test_tryagain_is_waited_out(own_cluster: EmbeddedCluster, own_proxy: Proxy, client: RawClient) -> None:
    client.command("MSET", "{try}a", "1", "{try}b", "2")
    move = Move(own_cluster, "try")
    move.begin()
    move.carry("{try}a")
    with own_proxy.client() as waiting:
        waiting.send(b"MGET {try}a {try}b\r\n")
        await_true(lambda: redirections(own_proxy, "tryagain") >= 1)
        assert client.command("GET", "{try}b") == b"$1\r\n2\r\n"
        move.finish()
        assert waiting.read_reply() == b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"


def test_a_split_command_finds_each_of_its_slots(own_cluster: EmbeddedCluster, client: RawClient) -> None:
    keys = [f"split:{number}" for number in range(50)]
    client.pipeline([("SET", key, key) for key in keys])
    for key in keys[:3]:
        move = Move(own_cluster, key)
        move.begin()
        move.finish()
    expected = b"*50\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(key), key.encode()) for key in keys)
    assert client.command("MGET", *keys) == expected


def test_without_redirection_the_client_gets_the_error(own_cluster: EmbeddedCluster) -> None:
    config = config_of(own_cluster.seeds, cluster=SLOW_REFRESH, settings={"enable_redirection": False})
    with Proxy(config=config) as proxy, proxy.client() as client:
        client.command("SET", "{plain}a", "1")
        move = Move(own_cluster, "plain")
        move.begin()
        move.finish()
        assert client.command("GET", "{plain}a") == b"-MOVED %d %s\r\n" % (move.slot, move.target.address.encode())


def test_a_refresh_learns_what_has_moved(own_cluster: EmbeddedCluster) -> None:
    with (
        Proxy(config=config_of(own_cluster.seeds, cluster={"cluster_refresh_rate": "0.1s"})) as proxy,
        proxy.client() as client,
    ):
        move = Move(own_cluster, "learn")
        move.begin()
        move.finish()

        def refreshes() -> float:
            return proxy.metrics().total("rproxy_topology_refreshes_total", cluster="main", result="success")

        enough = refreshes() + 10
        await_true(lambda: refreshes() >= enough)
        assert client.command("SET", "{learn}a", "1") == b"+OK\r\n"
        assert redirections(proxy, "moved") == 0


def test_a_transaction_follows_its_slot(own_cluster: EmbeddedCluster, client: RawClient) -> None:
    move = Move(own_cluster, "multi")
    client.command("SET", "{multi}a", "1")
    move.begin()
    move.finish()
    commands = [("MULTI",), ("INCR", "{multi}a"), ("GET", "{multi}a"), ("EXEC",)]
    assert client.pipeline(commands)[-1] == b"*2\r\n:2\r\n$1\r\n2\r\n"
    assert client.pipeline([("WATCH", "{multi}a"), *commands])[-1] == b"*2\r\n:3\r\n$1\r\n3\r\n"


def test_a_transaction_whose_slot_moves_after_it_watched_is_lost(
    own_cluster: EmbeddedCluster, client: RawClient
) -> None:
    move = Move(own_cluster, "watch")
    assert client.pipeline([("SET", "{watch}a", "1"), ("WATCH", "{watch}a")])[1] == b"+OK\r\n"
    move.begin()
    move.finish()
    commands = [("MULTI",), ("INCR", "{watch}a"), ("EXEC",)]
    assert client.pipeline(commands)[-1] == b"*-1\r\n"
    assert client.pipeline(commands)[-1] == b"*1\r\n:2\r\n"


def test_a_transaction_waits_while_its_keys_are_on_the_way(own_cluster: EmbeddedCluster, client: RawClient) -> None:
    move = Move(own_cluster, "halfway")
    client.command("MSET", "{halfway}a", "1", "{halfway}b", "1")
    move.begin()
    move.carry("{halfway}a")
    commands = [("MULTI",), ("INCR", "{halfway}a"), ("INCR", "{halfway}b"), ("EXEC",)]
    client.send(b"".join(pack(*command) for command in commands))
    assert [client.read_reply() for _ in range(3)] == [b"+OK\r\n", b"+QUEUED\r\n", b"+QUEUED\r\n"]
    move.finish()
    assert client.read_reply() == b"*2\r\n:2\r\n:2\r\n"


def test_a_blocked_client_follows_its_slot(own_cluster: EmbeddedCluster, own_proxy: Proxy, client: RawClient) -> None:
    move = Move(own_cluster, "blocked")
    client.send(pack("BLPOP", "{blocked}a", "0"))
    await_true(lambda: b"blocked_clients:1" in move.source.call("INFO", "clients"))
    move.begin()
    move.finish()
    await_true(lambda: b"blocked_clients:1" in move.target.call("INFO", "clients"))
    with own_proxy.client() as other:
        assert other.command("RPUSH", "{blocked}a", "x") == b":1\r\n"
    assert client.read_reply() == b"*2\r\n$10\r\n{blocked}a\r\n$1\r\nx\r\n"
