"""Commands that concern the whole cluster, seen as one server."""

import re
from collections.abc import Iterator

import hiredis
import pytest

from rproxy.demo.embedded import EmbeddedCluster
from rproxy.demo.wire_client import WireClient
from tests.support.client import RawClient
from tests.support.proxy import Proxy
from tests.support.waiting import await_true


@pytest.fixture
def wire(proxy: Proxy) -> Iterator[WireClient]:
    with WireClient(proxy.port) as connection:
        yield connection


def fill(wire: WireClient, count: int) -> set[bytes]:
    keys = {b"key:%d" % number for number in range(count)}
    wire.call_all([("SET", key, "1") for key in sorted(keys)])
    return keys


def test_dbsize_is_the_sum_of_the_shards(cluster: EmbeddedCluster, wire: WireClient) -> None:
    fill(wire, 300)
    sizes = [node.call("DBSIZE") for node in cluster.primaries]
    assert min(sizes) > 0
    assert wire.call("DBSIZE") == sum(sizes) == 300


def test_keys_are_those_of_all_shards(wire: WireClient) -> None:
    keys = fill(wire, 300)
    assert set(wire.call("KEYS", "*")) == keys
    assert set(wire.call("KEYS", "key:1?")) == {b"key:1%d" % number for number in range(10)}
    assert wire.call("KEYS", "none*") == []


def scan(wire: WireClient, *options: str) -> tuple[list[bytes], int]:
    """All keys of an iteration, and how many calls it took."""
    found: list[bytes] = []
    cursor, calls = b"0", 0
    while True:
        cursor, keys = wire.call("SCAN", cursor, *options)
        found += keys
        calls += 1
        if cursor == b"0":
            return found, calls


def test_scan_walks_all_shards_to_the_end(wire: WireClient) -> None:
    keys = fill(wire, 1000)
    found, calls = scan(wire, "COUNT", "50")
    assert set(found) == keys
    assert len(found) == 1000
    assert calls > 6


def test_scan_takes_its_options(wire: WireClient) -> None:
    fill(wire, 200)
    wire.call("RPUSH", "list", "1")
    assert set(scan(wire, "MATCH", "key:1?", "COUNT", "100")[0]) == {b"key:1%d" % number for number in range(10)}
    assert scan(wire, "TYPE", "list")[0] == [b"list"]


def test_scan_of_an_empty_cluster_ends(wire: WireClient) -> None:
    assert scan(wire)[0] == []


@pytest.mark.parametrize("command", [("SCAN", "abc"), ("SCAN", "0", "COUNT", "x"), ("SCAN", "0", "NOSUCH"), ("SCAN",)])
def test_scan_is_refused_as_by_one_server(direct: RawClient, client: RawClient, command: tuple[str, ...]) -> None:
    assert client.command(*command) == direct.command(*command)


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB"])
def test_flushing_empties_every_shard(cluster: EmbeddedCluster, wire: WireClient, command: str) -> None:
    fill(wire, 100)
    assert wire.call(command) == b"OK"
    assert [node.call("DBSIZE") for node in cluster.primaries] == [0, 0, 0]
    fill(wire, 100)
    assert wire.call(command, "ASYNC") == b"OK"
    assert wire.call("DBSIZE") == 0


def test_flushing_is_refused_as_by_one_server(direct: RawClient, client: RawClient) -> None:
    assert client.command("FLUSHALL", "NOSUCH") == direct.command("FLUSHALL", "NOSUCH")


def test_randomkey_comes_from_any_shard(wire: WireClient) -> None:
    assert wire.call("RANDOMKEY") is None
    assert wire.call("SET", "only", "1") == b"OK"
    assert wire.call("RANDOMKEY") == b"only"
    keys = fill(wire, 300) | {b"only"}
    drawn = {wire.call("RANDOMKEY") for _ in range(50)}
    assert len(drawn) > 5
    assert drawn <= keys


def test_a_loaded_script_is_on_every_shard(cluster: EmbeddedCluster, wire: WireClient) -> None:
    sha = wire.call("SCRIPT", "LOAD", "return {KEYS[1], 7}")
    none = b"f" * 40
    assert wire.call("SCRIPT", "EXISTS", sha, none) == [1, 0]
    assert [node.call("SCRIPT", "EXISTS", sha) for node in cluster.primaries] == [[1]] * 3
    for key in (b"a", b"b", b"c"):
        assert wire.call("EVALSHA", sha, 1, key) == [key, 7]
    assert wire.call("SCRIPT", "FLUSH") == b"OK"
    assert wire.call("SCRIPT", "EXISTS", sha, none) == [0, 0]


def test_where_replicas_are_read_it_is_on_them_too(cluster: EmbeddedCluster) -> None:
    with Proxy(["--seed", cluster.seeds, "--read-policy", "replica"]) as proxy, WireClient(proxy.port) as wire:
        for key in (b"a", b"b", b"c"):
            wire.call("GET", key)
        sha = wire.call("SCRIPT", "LOAD", "return {KEYS[1], 9}")
        assert [node.call("SCRIPT", "EXISTS", sha) for node in cluster.nodes] == [[1]] * 6


def test_a_script_that_one_node_lacks_does_not_exist(cluster: EmbeddedCluster, wire: WireClient) -> None:
    first, second, _ = cluster.primaries
    sha = first.call("SCRIPT", "LOAD", "return 8")
    assert wire.call("SCRIPT", "EXISTS", sha) == [0]
    second.call("SCRIPT", "LOAD", "return 8")
    assert wire.call("SCRIPT", "EXISTS", sha) == [0]


def test_a_script_that_rproxy_has_seen_is_found_by_every_node(cluster: EmbeddedCluster, wire: WireClient) -> None:
    sha = wire.call("SCRIPT", "LOAD", "return {KEYS[1], 8}")
    for node in cluster.primaries:
        node.call("SCRIPT", "FLUSH")
    assert wire.call("SCRIPT", "EXISTS", sha) == [1]
    pipeline = [("EVALSHA", sha, 1, key) for key in (b"a", b"b", b"c")]
    assert wire.call_all([*pipeline, *pipeline]) == [[key, 8] for key in (b"a", b"b", b"c")] * 2
    assert wire.call("EVALSHA", sha, 0) == [None, 8] or wire.call("EVALSHA", sha, 0) == []
    assert wire.call("SCRIPT", "FLUSH") == b"OK"
    with pytest.raises(hiredis.ReplyError, match="NOSCRIPT"):
        wire.call("EVALSHA", sha, 1, "a")


def test_a_script_that_runs_is_killed_though_its_connection_is_stuck(proxy: Proxy, wire: WireClient) -> None:
    with pytest.raises(hiredis.ReplyError, match="NOTBUSY"):
        wire.call("SCRIPT", "KILL")
    wire.call("CONFIG", "SET", "lua-time-limit", "50")
    try:
        with WireClient(proxy.port) as stuck:
            stuck.send("EVAL", "while true do end", 1, "a")
            await_true(lambda: kill(wire))
            reply = stuck.read()
    finally:
        wire.call("CONFIG", "SET", "lua-time-limit", "5000")
    assert isinstance(reply, hiredis.ReplyError)
    assert "killed" in str(reply)
    assert wire.call("SET", "a", "1") == b"OK"


def kill(wire: WireClient) -> bool:
    try:
        return bool(wire.call("SCRIPT", "KILL") == b"OK")
    except hiredis.ReplyError:
        return False


def test_waiting_is_for_replicas_of_every_shard(wire: WireClient) -> None:
    replies = wire.call_all([*(("SET", key, "1") for key in (b"a", b"b", b"c")), ("WAIT", 1, 5000), ("GET", b"a")])
    assert replies == [b"OK"] * 3 + [1, b"1"]
    assert wire.call("WAIT", 2, 500) == 1


@pytest.mark.parametrize("command", [("WAIT", "x", "1"), ("WAIT", "1", "-1"), ("WAIT", "1", "x"), ("WAIT", "0", "0")])
def test_waiting_is_refused_as_by_one_server(direct: RawClient, client: RawClient, command: tuple[str, ...]) -> None:
    assert client.command(*command)[:1] == direct.command(*command)[:1]
    if command[1:] != ("0", "0"):
        assert client.command(*command) == direct.command(*command)


@pytest.mark.parametrize("command", [("MEMORY", "STATS"), ("MEMORY", "DOCTOR"), ("LATENCY", "LATEST"), ("ROLE",)])
def test_reports_have_the_shape_of_one_server(direct: RawClient, client: RawClient, command: tuple[str, ...]) -> None:
    shape = re.compile(rb"\d+(\.\d+)?|-- node.*|\$\d+")
    replies = [connection.command(*command).split(b"\r\n") for connection in (client, direct)]
    fields, real = ([shape.sub(b"", line) for line in reply] for reply in replies)
    if command != ("MEMORY", "DOCTOR"):
        assert [line for line in real if line not in fields] == []
    assert fields[0] == real[0]


def test_an_error_of_any_shard_is_the_answer(direct: RawClient, client: RawClient) -> None:
    assert client.command("SCRIPT", "LOAD", "return (") == direct.command("SCRIPT", "LOAD", "return (")


def test_a_small_data_set_is_one_page_as_with_one_server(direct: RawClient, client: RawClient) -> None:
    assert client.command("SCAN", "0") == direct.command("SCAN", "0") == b"*2\r\n$1\r\n0\r\n*0\r\n"
    for key in ("a", "b", "c"):
        client.command("SET", key, "1")
    reply = client.command("SCAN", "0", "MATCH", "*")
    assert reply.startswith(b"*2\r\n$1\r\n0\r\n*3\r\n")


def test_waiting_inside_a_transaction_waits_for_nothing(direct: RawClient, client: RawClient) -> None:
    for command in (("MULTI",), ("SET", "a", "1"), ("WAIT", "0", "0")):
        assert client.command(*command) == direct.command(*command)
    assert client.command("EXEC").startswith(b"*2\r\n+OK\r\n:")
    assert direct.command("EXEC").startswith(b"*2\r\n+OK\r\n:")
