"""valkey-glide, the client of the Valkey project with a core in Rust, in ordinary use: the same answers as directly."""

import asyncio
from typing import Any

import pytest

from rproxy.demo.embedded import EmbeddedRedis
from tests.support.proxy import Proxy

glide = pytest.importorskip("glide", reason="valkey-glide is NOT tested: no wheel of it is installed")


async def client_of(port: int, protocol: int) -> Any:
    version = glide.ProtocolVersion.RESP3 if protocol == 3 else glide.ProtocolVersion.RESP2
    addresses = [glide.NodeAddress("127.0.0.1", port)]
    return await glide.GlideClient.create(
        glide.GlideClientConfiguration(addresses, protocol=version, client_name="ordinary-use", request_timeout=5000)
    )


async def cluster_client_of(port: int) -> Any:
    addresses = [glide.NodeAddress("127.0.0.1", port)]
    return await glide.GlideClusterClient.create(glide.GlideClusterClientConfiguration(addresses, request_timeout=5000))


async def ordinary_use(client: Any, other: Any) -> list[Any]:
    """What an application does, and what it gets."""
    answers = [
        await client.ping(),
        await client.set("greeting", "hällo"),
        await client.get("greeting"),
        await client.get("missing"),
        await client.mset({"a": "1", "b": "2", "c": "3"}),
        await client.mget(["a", "missing", "c", "b"]),
        await client.delete(["a", "b", "missing"]),
        await client.exists(["a", "c"]),
        sorted(await asyncio.gather(*(client.incr("count") for _ in range(50)))),
        await client.hset("user:1", {"name": "Ada", "born": "1815"}),
        await client.hgetall("user:1"),
        await client.rpush("queue", ["x", "y", "z"]),
        await client.lrange("queue", 0, -1),
        await client.zadd("scores", {"a": 1, "b": 2.5}),
        await client.zrange_withscores("scores", glide.RangeByIndex(0, -1)),
        await client.sadd("{tag}one", ["1", "2", "3"]),
        await client.sadd("{tag}two", ["2", "3", "4"]),
        await client.sinter(["{tag}one", "{tag}two"]),
        await client.xadd("events", [("kind", "start")], glide.StreamAddOptions(id="1-1")),
        await client.xread({"events": "0"}),
        await client.invoke_script(glide.Script("return {KEYS[1], ARGV[1]}"), keys=["k"], args=["v"]),
        await client.invoke_script(glide.Script("return {KEYS[1], ARGV[1]}"), keys=["other"], args=["v"]),
        await client.blpop(["empty"], 0.05),
    ]
    waiting = asyncio.create_task(other.blpop(["waiting"], 5))
    answers += [await client.rpush("waiting", ["element"]), await waiting]
    try:
        await client.lpush("greeting", ["x"])
    except glide.RequestError as error:
        answers.append(str(error))
    return answers


async def pipelines(client: Any, *, is_cluster: bool) -> list[Any]:
    """A pipeline of 1,000 commands and a transaction."""
    make = glide.ClusterBatch if is_cluster else glide.Batch
    bulk, transaction = make(is_atomic=False), make(is_atomic=True)
    for number in range(500):
        bulk.set(f"bulk:{number}", str(number))
        bulk.get(f"bulk:{number}")
    transaction.set("{t}a", "1")
    transaction.incr("{t}a")
    transaction.lpush("{t}a", ["x"])
    return [
        await client.exec(bulk, raise_on_error=False),
        [str(answer) for answer in await client.exec(transaction, raise_on_error=False)],
    ]


async def scan(client: Any) -> list[Any]:
    """All keys of an iteration."""
    cursor, found = b"0", []
    while True:
        cursor, keys = await client.scan(cursor, match="bulk:1*", count=50)
        found += keys
        if cursor == b"0":
            return sorted(found)


async def lost_watch(client: Any, other: Any) -> Any:
    await client.watch(["{t}a"])
    await other.set("{t}a", "100")
    transaction = glide.Batch(is_atomic=True)
    transaction.incr("{t}a")
    return await client.exec(transaction, raise_on_error=False)


@pytest.mark.parametrize("protocol", [2, 3])
async def test_answers_are_the_same_as_directly(proxy: Proxy, standalone: EmbeddedRedis, protocol: int) -> None:
    answers = []
    for port in (standalone.port, proxy.port):
        client, other = await client_of(port, protocol), await client_of(port, protocol)
        everything = [
            await ordinary_use(client, other),
            await pipelines(client, is_cluster=False),
            await scan(client),
            await lost_watch(client, other),
            await client.dbsize(),
        ]
        answers.append(everything)
        await client.close()
        await other.close()
    directly, through = answers
    assert directly[0][2] == "hällo".encode()
    assert directly[3] is None
    assert through == directly


async def test_so_are_those_of_its_cluster_client(proxy: Proxy, standalone: EmbeddedRedis) -> None:
    client, other = await client_of(standalone.port, 3), await client_of(standalone.port, 3)
    expected = [await ordinary_use(client, other), await pipelines(client, is_cluster=False)]
    through, other_through = await cluster_client_of(proxy.port), await cluster_client_of(proxy.port)
    assert [await ordinary_use(through, other_through), await pipelines(through, is_cluster=True)] == expected
    for each in (client, other, through, other_through):
        await each.close()


async def heard(port: int, protocol: int) -> list[tuple[Any, ...]]:
    """What a subscriber to a channel and a pattern hears of two messages."""
    modes = glide.GlideClientConfiguration.PubSubChannelModes
    wanted = {modes.Exact: {"news"}, modes.Pattern: {"other.*"}}
    subscriptions = glide.GlideClientConfiguration.PubSubSubscriptions(wanted, None, None)
    subscriber = await glide.GlideClient.create(
        glide.GlideClientConfiguration(
            [glide.NodeAddress("127.0.0.1", port)],
            protocol=glide.ProtocolVersion.RESP3,
            pubsub_subscriptions=subscriptions,
            request_timeout=5000,
        )
    )
    publisher = await client_of(port, protocol)
    messages = []
    async with asyncio.timeout(10):
        for channel, text in (("news", "first"), ("other.thing", "second")):
            await publisher.publish(text, channel)
            message = await subscriber.get_pubsub_message()
            messages.append((message.channel, message.message, message.pattern))
    await subscriber.close()
    await publisher.close()
    return messages


@pytest.mark.parametrize("protocol", [2, 3])
async def test_messages_are_heard_as_directly(proxy: Proxy, standalone: EmbeddedRedis, protocol: int) -> None:
    through, directly = await heard(proxy.port, protocol), await heard(standalone.port, protocol)
    assert directly == [(b"news", b"first", None), (b"other.thing", b"second", b"other.*")]
    assert through == directly
