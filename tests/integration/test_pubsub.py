"""Pub/sub through rproxy over a real cluster, beside a single Redis where the bytes have to be the same."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader

import pytest

from rproxy.demo.embedded import EmbeddedCluster, EmbeddedRedis
from rproxy.demo.redis_process import RedisProcess
from rproxy.resp import encode
from tests.support.client import RawClient, pack
from tests.support.installed import IS_7, needs_7
from tests.support.proxy import Proxy, config_of
from tests.support.pubsub import push, push_3
from tests.support.waiting import await_true

only_on_7 = needs_7("sharded channels came with Redis 7.0")
worded_as_7 = pytest.mark.skipif(not IS_7, reason="Redis 6.2 words its errors otherwise")


SESSION = [
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE x",
    "SUBSCRIBE a a b",
    "SUBSCRIBE",
    "GET x",
    "CLIENT ID",
    "PING",
    "PING hi",
    "PING a b",
    "PSUBSCRIBE p* q*",
    "UNSUBSCRIBE a x",
    "HELLO 3",
    "PUNSUBSCRIBE",
    "UNSUBSCRIBE b",
    "GET x",
    "SUBSCRIBE a",
    "RESET",
    "GET x",
    "HELLO 3 SETNAME x",
    "UNSUBSCRIBE",
    "SUBSCRIBE a b",
    "GET x",
    "PING",
    "PSUBSCRIBE *",
    "HELLO 2",
    "GET x",
    "UNSUBSCRIBE a b",
    "PUNSUBSCRIBE",
]
SHARDED = ["SUNSUBSCRIBE", "SSUBSCRIBE a b c", "SUNSUBSCRIBE b x", "SUBSCRIBE a", "SUNSUBSCRIBE a c", "RESET", "PING"]


def transcript(port: int, commands: list[str]) -> list[bytes]:
    """What a server says to each of ``commands``; the error of an unknown command marks the end of each answer."""
    answers = []
    with socket.create_connection(("127.0.0.1", port), 10) as sock, sock.makefile("rb") as stream:
        for command in commands:
            sock.sendall(pack(*command.split()) + b"NOPE\r\n")
            answers.append(until(stream, b"-ERR unknown command 'NOPE', with args beginning with: \r\n"))
    return answers


def until(stream: BufferedReader, marker: bytes) -> bytes:
    """All bytes before ``marker``, or before the end."""
    received = b""
    while not received.endswith(marker) and (line := stream.readline()):
        received += line
    return received.removesuffix(marker)


def without_id(answer: bytes) -> bytes:
    return b"hello" if b"proto" in answer else answer


@worded_as_7
@pytest.mark.parametrize("commands", [SESSION, SHARDED], ids=["channels", "sharded"])
def test_the_client_hears_what_a_single_server_says(
    proxy: Proxy, standalone: EmbeddedRedis, commands: list[str]
) -> None:
    expected = transcript(standalone.port, commands)
    for command, answer, wanted in zip(commands, transcript(proxy.port, commands), expected, strict=True):
        assert without_id(answer) == without_id(wanted), command


# -- messages


@contextmanager
def subscribed(port: int, *command: str, protocol: int = 2) -> Iterator[RawClient]:
    """A client that was told that it is subscribed."""
    with RawClient(port) as client:
        if protocol == 3:
            client.command("HELLO", "3")
        client.command(*command)
        for _ in command[2:]:
            client.read_reply()
        yield client


@pytest.mark.parametrize("protocol", [2, 3])
def test_messages_reach_subscribers_in_order(proxy: Proxy, client: RawClient, protocol: int) -> None:
    expect = push_3 if protocol == 3 else push
    with subscribed(proxy.port, "SUBSCRIBE", "news", protocol=protocol) as subscriber:
        client.pipeline([("PUBLISH", "news", number) for number in range(200)])
        assert [subscriber.read_reply() for _ in range(200)] == [
            expect("message", "news", str(number)) for number in range(200)
        ]


def test_patterns_and_channels_are_heard_as_each_is(proxy: Proxy, client: RawClient) -> None:
    with subscribed(proxy.port, "PSUBSCRIBE", "n*", "*") as subscriber:
        client.command("PUBLISH", "news", b"\r\n\0")
        heard = {subscriber.read_reply() for _ in range(2)}
        assert heard == {push("pmessage", pattern, "news", b"\r\n\0") for pattern in ("n*", "*")}
        client.command("PUBLISH", "other", "x")
        assert subscriber.read_reply() == push("pmessage", "*", "other", "x")


def test_large_messages_arrive_whole(proxy: Proxy, client: RawClient) -> None:
    with subscribed(proxy.port, "SUBSCRIBE", "news") as subscriber:
        client.command("PUBLISH", "news", "x" * 3_000_000)
        assert subscriber.read_reply() == push("message", "news", "x" * 3_000_000)


@only_on_7
def test_sharded_channels_of_every_shard(proxy: Proxy, client: RawClient) -> None:
    names = [f"channel:{number}" for number in range(30)]
    with subscribed(proxy.port, "SSUBSCRIBE", *names) as subscriber:
        for name in names:
            client.command("SPUBLISH", name, name)
        assert {subscriber.read_reply() for _ in names} == {push("smessage", name, name) for name in names}


def test_ordinary_commands_beside_subscriptions_in_resp3(proxy: Proxy) -> None:
    with subscribed(proxy.port, "SUBSCRIBE", "news", protocol=3) as client:
        for number in range(50):
            client.send(pack("SET", f"key:{number}", number) + pack("PUBLISH", "news", number))
        received = [client.read_reply() for _ in range(150)]
    assert [reply for reply in received if reply.startswith(b">")] == [
        push_3("message", "news", str(number)) for number in range(50)
    ]
    assert received.count(b"+OK\r\n") == 50


def test_a_thousand_subscribers_of_one_channel(proxy: Proxy, client: RawClient) -> None:
    with ExitStack() as stack:
        subscribers = [stack.enter_context(subscribed(proxy.port, "SUBSCRIBE", "news")) for _ in range(1000)]
        for number in range(3):
            client.command("PUBLISH", "news", number)
        for subscriber in subscribers:
            assert [subscriber.read_reply() for _ in range(3)] == [push("message", "news", str(n)) for n in range(3)]


@pytest.mark.parametrize(
    ("verb", "publish"), [("SUBSCRIBE", "PUBLISH"), pytest.param("SSUBSCRIBE", "SPUBLISH", marks=only_on_7)]
)
def test_who_has_asked_before_gets_the_message(proxy: Proxy, client: RawClient, verb: str, publish: str) -> None:
    for number in range(30):
        with proxy.client() as listener:
            listener.command("PING")
            listener.send(pack(verb, "other", f"new:{number}"))  # nobody waits for the confirmation
            assert client.command(publish, f"new:{number}", "hello") == b":1\r\n"
            assert [listener.read_reply() for _ in range(3)][2].endswith(b"$5\r\nhello\r\n")


@pytest.mark.parametrize("watching", [False, True])
def test_a_transaction_publishes_as_one_server_does(proxy: Proxy, client: RawClient, watching: bool) -> None:
    with proxy.client() as one, proxy.client() as other, proxy.client() as late:
        for each in (one, other):
            each.command("SUBSCRIBE", "news")
        late.command("PING")
        commands = [
            "MULTI",
            "SET key 1",
            "PUBLISH news hello",
            "PING",
            "PUBLISH nobody x",
            "PUBLISH news again",
            "EXEC",
        ]
        late.send(pack("SUBSCRIBE", "news"))
        replies = client.pipeline([tuple(line.split()) for line in ["WATCH key", *commands][not watching :]])
        assert replies[-1] == b"*5\r\n+OK\r\n:3\r\n+PONG\r\n:0\r\n:3\r\n"
        assert client.command("ECHO", "next") == b"$4\r\nnext\r\n"
        for each in (one, other, late):
            heard = [each.read_reply() for _ in range(3 if each is late else 2)]
            assert heard[-2:] == [push("message", "news", "hello"), push("message", "news", "again")]
        assert client.pipeline([("MULTI",), ("PUBLISH", "news", "x"), ("EXEC",)])[-1] == b"*1\r\n:3\r\n"


def test_messages_published_at_any_node_are_heard(proxy: Proxy, cluster: EmbeddedCluster, client: RawClient) -> None:
    with subscribed(proxy.port, "SUBSCRIBE", "news") as subscriber:
        for node in cluster.nodes:
            node.call("PUBLISH", "news", node.port)
        heard = {subscriber.read_reply() for _ in cluster.nodes}
    assert heard == {push("message", "news", str(node.port)) for node in cluster.nodes}


def test_subscribers_of_every_worker_hear_in_order(cluster: EmbeddedCluster) -> None:
    with Proxy(["--seed", cluster.seeds, "--workers", "2"]) as proxy, proxy.client() as publisher, ExitStack() as stack:
        subscribers = [stack.enter_context(subscribed(proxy.port, "SUBSCRIBE", "a", "b")) for _ in range(6)]
        expected = [push("message", channel, str(number)) for number in range(50) for channel in ("a", "b")]
        publisher.pipeline([("PUBLISH", channel, number) for number in range(50) for channel in ("a", "b")])
        for subscriber in subscribers:
            assert [subscriber.read_reply() for _ in expected] == expected
        assert publisher.command("PUBSUB", "NUMSUB", "a", "b", "c") == encode.reply([b"a", 6, b"b", 6, b"c", 0])
        with subscribed(proxy.port, "PSUBSCRIBE", "n*", "m*"), subscribed(proxy.port, "PSUBSCRIBE", "n*"):
            assert publisher.command("PUBSUB", "NUMPAT") == b":2\r\n"


def test_one_slow_subscriber_is_closed_and_the_others_are_not(cluster: EmbeddedCluster) -> None:
    config = config_of(cluster.seeds)
    config["listeners"][0]["limits"] = {"output_buffer_limit": "1MiB"}
    message = "x" * 100_000
    with (
        Proxy(config=config) as proxy,
        proxy.client() as publisher,
        subscribed(proxy.port, "SUBSCRIBE", "news") as slow,
        subscribed(proxy.port, "SUBSCRIBE", "news") as quick,
    ):
        for _ in range(200):
            publisher.command("PUBLISH", "news", message)
            assert quick.read_reply() == push("message", "news", message)
        await_true(lambda: proxy.metrics().total("rproxy_downstream_connections_active") == 2)
        assert len(slow.read_to_end()) < 200 * len(message)


# -- who is said to hear


def test_the_receivers_are_this_proxys_clients_and_those_elsewhere(
    proxy: Proxy, cluster: EmbeddedCluster, client: RawClient
) -> None:
    assert client.command("PUBLISH", "news", "x") == b":0\r\n"
    with ExitStack() as stack:
        for command in [("SUBSCRIBE", "news", "other")] * 3 + [("PSUBSCRIBE", "n*", "*")] * 2:
            stack.enter_context(subscribed(proxy.port, *command))
        assert client.command("PUBLISH", "news", "x") == b":7\r\n"
        assert client.command("PUBLISH", "nobody", "x") == b":4\r\n"
        with RawClient(cluster.nodes[0].port) as elsewhere:
            elsewhere.command("SUBSCRIBE", "there")
            assert client.command("PUBSUB", "CHANNELS") == encode.reply([b"news", b"other", b"there"])
            assert client.command("PUBSUB", "CHANNELS", "*o*") == encode.reply([b"other"])
            assert client.command("PUBSUB", "NUMSUB", "news", "there", "x", "news") == encode.reply(
                [b"news", 3, b"there", 1, b"x", 0, b"news", 3]
            )
        assert client.command("PUBSUB", "NUMPAT") == b":2\r\n"
    await_true(lambda: client.command("PUBSUB", "CHANNELS") == b"*0\r\n")


@only_on_7
def test_the_receivers_of_sharded_channels(proxy: Proxy, client: RawClient) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(subscribed(proxy.port, "SSUBSCRIBE", "a", "b"))
        assert client.command("SPUBLISH", "b", "x") == b":3\r\n"
        assert client.command("PUBSUB", "SHARDCHANNELS") == encode.reply([b"a", b"b"])
        assert client.command("PUBSUB", "SHARDNUMSUB", "b", "c") == encode.reply([b"b", 3, b"c", 0])
        assert client.command("PUBSUB", "CHANNELS") == b"*0\r\n"


@worded_as_7
@pytest.mark.parametrize(
    "command",
    [
        "PUBSUB",
        "PUBSUB NOPE",
        "PUBSUB NUMPAT x",
        "PUBSUB NUMSUB",
        "PUBSUB CHANNELS nothing*",
        "PUBSUB channels a b",
        "PUBSUB SHARDNUMSUB",
        "PUBSUB HELP",
    ],
)
def test_pubsub_says_what_a_single_server_says(client: RawClient, direct: RawClient, command: str) -> None:
    assert client.command(*command.split()) == direct.command(*command.split())


# -- keyspace notifications


@pytest.mark.parametrize("command", [("PSUBSCRIBE", "__keyevent@0__:set"), ("SUBSCRIBE", "__keyevent@0__:set")])
def test_notifications_of_all_primaries_are_merged(
    proxy: Proxy, cluster: EmbeddedCluster, client: RawClient, command: tuple[str, ...]
) -> None:
    keys = {f"key:{number}" for number in range(60)}
    for node in cluster.nodes:
        node.call("CONFIG", "SET", "notify-keyspace-events", "KEA")
    try:
        with subscribed(proxy.port, *command) as subscriber:
            for key in keys:
                client.command("SET", key, "1")
            heard = [subscriber.read_reply().split(b"\r\n")[-2].decode() for _ in keys]
        assert sorted(heard) == sorted(keys)
    finally:
        for node in cluster.nodes:
            node.call("CONFIG", "SET", "notify-keyspace-events", "")


# -- nodes that die, and slots that move


def subscribers_of(node: RedisProcess, channel: str) -> int:
    count: int = node.call("PUBSUB", "NUMSUB", channel)[1]
    return count


def test_the_death_of_the_carrier_is_a_gap_and_no_more(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    with subscribed(own_proxy.port, "SUBSCRIBE", "news") as subscriber, own_proxy.client() as publisher:
        publisher.command("PUBLISH", "news", "before")
        assert subscriber.read_reply() == push("message", "news", "before")
        carrier = next(node for node in own_cluster.nodes if subscribers_of(node, "news"))
        carrier.kill()
        others = [node for node in own_cluster.nodes if node is not carrier]
        await_true(lambda: any(subscribers_of(node, "news") for node in others))
        await_true(lambda: publisher.command("PUBLISH", "news", "after").startswith(b":"))
        assert subscriber.read_reply() == push("message", "news", "after")
        assert own_proxy.metrics().total("rproxy_resubscriptions_total", cluster="main") == 1


def test_a_carrier_that_hangs_is_left(own_cluster: EmbeddedCluster) -> None:
    config = config_of(own_cluster.seeds, settings={"op_timeout": "1s"})
    with Proxy(config=config) as proxy, subscribed(proxy.port, "SUBSCRIBE", "news") as subscriber:
        carrier = next(node for node in own_cluster.nodes if subscribers_of(node, "news"))
        others = [node for node in own_cluster.nodes if node is not carrier]
        carrier.stop_process()
        try:
            await_true(lambda: any(subscribers_of(node, "news") for node in others))
            others[0].call("PUBLISH", "news", "after")
            assert subscriber.read_reply() == push("message", "news", "after")
        finally:
            carrier.cont()


def test_subscriptions_outlive_a_cluster_that_is_gone_and_returns() -> None:
    with (
        EmbeddedCluster(primaries=1, replicas=0) as cluster,
        Proxy(["--seed", cluster.seeds]) as proxy,
        subscribed(proxy.port, "SUBSCRIBE", "news") as subscriber,
    ):
        cluster.nodes[0].kill()
        await_true(lambda: proxy.metrics().total("rproxy_upstream_connections_active") == 0)
        cluster.nodes[0].restart()
        await_true(lambda: subscribers_of(cluster.nodes[0], "news"))
        cluster.nodes[0].call("PUBLISH", "news", "after")
        assert subscriber.read_reply() == push("message", "news", "after")


@only_on_7
def test_a_sharded_channel_survives_the_death_of_its_primary(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    with subscribed(own_proxy.port, "SSUBSCRIBE", "b") as subscriber, own_proxy.client() as publisher:
        primary, replica = own_cluster.shard_of("b")
        primary.kill()
        await_true(lambda: publisher.command("SPUBLISH", "b", "1").startswith(b":"))
        await_true(lambda: replica.call("PUBSUB", "SHARDNUMSUB", "b")[1] == 1)
        publisher.command("SPUBLISH", "b", "after")
        while subscriber.read_reply() != push("smessage", "b", "after"):
            pass


@only_on_7
def test_a_sharded_channel_follows_its_slot(own_cluster: EmbeddedCluster, own_proxy: Proxy) -> None:
    with subscribed(own_proxy.port, "SSUBSCRIBE", "b") as subscriber, own_proxy.client() as publisher:
        source = own_cluster.primary_of("b")
        target, *others = [node for node in own_cluster.primaries if node is not source]
        slot, target_id = source.call("CLUSTER", "KEYSLOT", "b"), target.call("CLUSTER", "MYID")
        for node in (target, source, *others):
            node.call("CLUSTER", "SETSLOT", slot, "NODE", target_id)
        await_true(lambda: target.call("PUBSUB", "SHARDNUMSUB", "b")[1] == 1)
        publisher.command("SPUBLISH", "b", "after")
        assert subscriber.read_reply() == push("smessage", "b", "after")
