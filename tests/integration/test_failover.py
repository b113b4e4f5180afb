"""Nodes that die, hang and come back while clients go on."""

from rproxy.demo.embedded import EmbeddedCluster
from tests.support.client import RawClient, pack
from tests.support.proxy import Proxy, config_of
from tests.support.waiting import await_true


def keys_by_shard(cluster: EmbeddedCluster) -> tuple[list[str], list[str]]:
    """Keys of the shard of ``b``, and keys of the other shards."""
    primary = cluster.primary_of("b")
    here: list[str] = []
    elsewhere: list[str] = []
    for number in range(60):
        key = f"key:{number}"
        (here if cluster.primary_of(key) is primary else elsewhere).append(key)
    return here, elsewhere


def test_service_returns_after_a_primary_is_killed(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    primary, replica = own_cluster.shard_of("b")
    with own_proxy.client() as client:
        assert client.command("SET", "b", "before") == b"+OK\r\n"
        await_true(lambda: replica.call("DBSIZE"))
        primary.kill()
        await_true(lambda: client.command("SET", "b", "after") == b"+OK\r\n")
        assert replica.role == "primary"
        assert replica.call("GET", "b") == b"after"
        primary.restart()
        own_cluster.await_healthy()
        assert client.command("GET", "b") == b"$5\r\nafter\r\n"
    assert own_proxy.metrics().total("rproxy_topology_covered_slots", cluster="main") == 16384


def test_other_shards_do_not_notice(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    here, elsewhere = keys_by_shard(own_cluster)
    primary, replica = own_cluster.shard_of("b")
    with own_proxy.client() as affected, own_proxy.client() as client:
        client.set_timeout(30)
        client.pipeline([("SET", key, "1") for key in elsewhere])
        primary.kill()
        affected.send(b"".join(pack("SET", key, "1") for key in here))
        while replica.role != "primary":
            assert client.pipeline([("GET", key) for key in elsewhere]) == [b"$1\r\n1\r\n"] * len(elsewhere)
        affected.set_timeout(60)
        replies = [affected.read_reply() for _ in here]
        assert len(replies) == len(here)
        assert all(reply == b"+OK\r\n" or reply.startswith((b"-ERR upstream", b"-CLUSTERDOWN")) for reply in replies)


def test_a_pipeline_cut_by_a_death_is_answered_to_the_last_command(
    own_cluster: EmbeddedCluster, own_proxy: Proxy
) -> None:
    primary = own_cluster.primary_of("b")
    with own_proxy.client() as client:
        client.command("SET", "b", "0")
        primary.stop_process()
        client.send(pack("INCR", "b") * 1000 + pack("PING"))
        primary.kill()
        replies = [client.read_reply() for _ in range(1001)]
    assert replies[-1] == b"+PONG\r\n"
    assert all(reply[:1] in b":-" for reply in replies[:-1])


def test_a_stuck_node_is_a_timeout_for_its_keys_alone(own_cluster: EmbeddedCluster) -> None:
    here, elsewhere = keys_by_shard(own_cluster)
    primary = own_cluster.primary_of("b")
    config = config_of(own_cluster.seeds, settings={"op_timeout": "1s"})
    with Proxy(config=config) as proxy, proxy.client() as stuck, proxy.client() as client:
        assert client.command("SET", here[0], "1") == b"+OK\r\n"
        client.pipeline([("SET", key, "1") for key in elsewhere])
        primary.stop_process()
        try:
            stuck.send(pack("SET", here[0], "2"))
            assert client.pipeline([("GET", key) for key in elsewhere]) == [b"$1\r\n1\r\n"] * len(elsewhere)
            assert stuck.read_reply().startswith(b"-ERR upstream 127.0.0.1:%d gave no answer in time" % primary.port)
        finally:
            primary.cont()
        await_true(lambda: client.command("SET", here[0], "3") == b"+OK\r\n")


def test_a_split_command_with_a_dead_shard_is_one_error(own_cluster: EmbeddedCluster) -> None:
    here, elsewhere = keys_by_shard(own_cluster)
    config = config_of(own_cluster.seeds, settings={"op_timeout": "1s"})
    with Proxy(config=config) as proxy, proxy.client() as client:
        client.pipeline([("SET", key, "1") for key in here + elsewhere])
        own_cluster.primary_of("b").kill()
        reply = client.command("MGET", here[0], elsewhere[0])
        assert reply.startswith(b"-")
        assert reply.count(b"\r\n") == 1
        assert client.command("GET", elsewhere[0]) == b"$1\r\n1\r\n"


def test_a_cluster_that_is_gone_and_returns_is_found_again() -> None:
    with EmbeddedCluster(primaries=1, replicas=0) as cluster:
        config = config_of(cluster.seeds, settings={"op_timeout": "1s"}, cluster={"cluster_refresh_rate": "0.2s"})
        with Proxy(config=config) as proxy, proxy.client() as client:
            assert client.command("SET", "a", "1") == b"+OK\r\n"
            cluster.nodes[0].kill()
            assert client.command("SET", "a", "2").startswith(b"-")
            assert proxy.admin("/healthz")[0] == 200
            cluster.nodes[0].restart()
            await_true(lambda: client.command("SET", "a", "3") == b"+OK\r\n")


def test_a_slot_that_loses_its_owner_for_a_moment_costs_no_error(own_cluster: EmbeddedCluster) -> None:
    """As in a failover, when nodes hear of the demotion before they hear of the promotion."""
    primary = own_cluster.primary_of("b")
    slot = primary.call("CLUSTER", "KEYSLOT", "b")
    config = config_of(own_cluster.seeds, settings={"op_timeout": "60s"}, cluster={"cluster_refresh_rate": "0.1s"})
    with Proxy(config=config) as proxy, proxy.client() as client, proxy.client() as blocked:
        client.set_timeout(90)
        blocked.set_timeout(90)
        assert client.command("SET", "b", "1") == b"+OK\r\n"
        for node in [primary, *(node for node in own_cluster.nodes if node is not primary)]:
            node.call("CLUSTER", "DELSLOTS", slot)
        await_true(lambda: proxy.metrics().total("rproxy_topology_covered_slots", cluster="main") == 16383)
        client.send(
            pack("APPEND", "b", "2") + pack("APPEND", "b", "3") + pack("MULTI") + pack("GET", "b") + pack("EXEC")
        )
        blocked.send(pack("BLPOP", "{b}list", "1"))
        await_true(lambda: proxy.metrics().total("rproxy_upstream_requests_parked") == 3)
        primary.call("CLUSTER", "ADDSLOTS", slot)
        own_cluster.await_healthy()
        assert [client.read_reply() for _ in range(5)] == [
            b":2\r\n",
            b":3\r\n",
            b"+OK\r\n",
            b"+QUEUED\r\n",
            b"*1\r\n$3\r\n123\r\n",
        ]
        assert blocked.read_reply() == b"*-1\r\n"
        assert proxy.metrics().total("rproxy_upstream_failures_total") == 0


def test_one_client_that_goes_away_harms_no_other(own_proxy: Proxy) -> None:
    with own_proxy.client() as staying:
        for number in range(50):
            leaving = RawClient(own_proxy.port)
            leaving.send(pack("INCR", "count") * 100)
            staying.send(pack("SET", f"k:{number}", "1"))
            leaving.close()
        assert [staying.read_reply() for _ in range(50)] == [b"+OK\r\n"] * 50


def test_a_blocked_client_is_told_that_its_node_died(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    primary, replica = own_cluster.shard_of("b")
    with own_proxy.client() as client:
        client.set_timeout(60)
        client.send(pack("BLPOP", "b", "0"))
        await_true(lambda: b"blocked_clients:1" in primary.call("INFO", "clients"))
        primary.kill()
        assert b"was lost" in client.read_reply()
        await_true(lambda: replica.role == "primary")
        assert await_true(lambda: client.command("RPUSH", "b", "x") == b":1\r\n")
        assert client.command("BLPOP", "b", "0") == b"*2\r\n$1\r\nb\r\n$1\r\nx\r\n"


def test_a_blocked_client_goes_on_waiting_at_the_new_primary(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    """With CLUSTER FAILOVER the old primary lives on as a replica, and sends its blocked clients away unserved."""
    primary, replica = own_cluster.shard_of("b")
    with own_proxy.client() as client, own_proxy.client() as other:
        client.set_timeout(60)
        client.send(pack("BLPOP", "b", "0"))
        await_true(lambda: b"blocked_clients:1" in primary.call("INFO", "clients"))
        assert replica.call("CLUSTER", "FAILOVER") == b"OK"
        await_true(lambda: b"blocked_clients:1" in replica.call("INFO", "clients"))
        assert other.command("RPUSH", "b", "x") == b":1\r\n"
        assert client.read_reply() == b"*2\r\n$1\r\nb\r\n$1\r\nx\r\n"


def test_a_watch_on_a_node_that_died_loses_the_transaction(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    primary = own_cluster.primary_of("b")
    with own_proxy.client() as client:
        assert client.command("WATCH", "b") == b"+OK\r\n"
        primary.kill()
        await_true(lambda: not primary.is_running)
        assert client.command("MULTI") == b"+OK\r\n"
        assert client.command("SET", "b", "1") == b"+QUEUED\r\n"
        reply = client.command("EXEC")
        assert reply == b"*-1\r\n" or b"may have been executed" in reply
