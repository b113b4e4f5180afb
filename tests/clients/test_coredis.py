"""coredis in ordinary use: the same answers through rproxy as directly."""

import asyncio
from typing import Any

import pytest

from rproxy.demo.embedded import EmbeddedRedis
from tests.support.proxy import Proxy

coredis = pytest.importorskip("coredis", reason="coredis is NOT tested: no wheel of it is installed")


async def ordinary_use(client: Any) -> list[Any]:
    """What an application does, and what it gets."""
    answers = [
        await client.ping(),
        await client.client_getname(),
        await client.set("greeting", "hällo", ex=100),
        await client.get("greeting"),
        await client.get("missing"),
        await client.mset({"a": "1", "b": "2", "c": "3"}),
        await client.mget(["a", "missing", "c", "b"]),
        await client.delete(["a", "b", "missing"]),
        await client.exists(["a", "c"]),
        [await client.incr("count") for _ in range(5)],
        await client.hset("user:1", {"name": "Ada", "born": "1815"}),
        await client.hgetall("user:1"),
        await client.rpush("queue", ["x", "y", "z"]),
        await client.lrange("queue", 0, -1),
        await client.zadd("scores", {"a": 1, "b": 2.5}),
        await client.zrange("scores", 0, -1, withscores=True),
        await client.sadd("{tag}one", ["1", "2", "3"]),
        await client.sadd("{tag}two", ["2", "3", "4"]),
        await client.sinter(["{tag}one", "{tag}two"]),
        await client.xadd("events", field_values={"kind": "start"}, identifier="1-1"),
        await client.xread({"events": "0"}, count=10),
        await client.register_script("return {KEYS[1], ARGV[1]}").execute(keys=["k"], args=["v"]),
        await client.blpop(["empty"], 0.05),
        sorted([key async for key in client.scan_iter(match="user:*", count=50)]),
        await client.dbsize(),
    ]
    try:
        await client.lpush("greeting", ["x"])
    except coredis.exceptions.ResponseError as error:
        answers.append(str(error))
    return answers


async def pipelines(client: Any, other: Any) -> list[Any]:
    """A pipeline of 1,000 commands, a transaction, and one that another client spoils."""
    async with client.pipeline(transaction=False) as bulk:
        bulked = [command for n in range(500) for command in (bulk.set(f"bulk:{n}", str(n)), bulk.get(f"bulk:{n}"))]
    async with client.pipeline(transaction=True) as transaction:
        done = [transaction.set("{t}a", "1"), transaction.incr("{t}a")]
    answers = [[await command for command in bulked], [await command for command in done]]
    try:
        async with client.pipeline(transaction=True) as spoilt, spoilt.watch("{t}a"):
            await other.set("{t}a", "100")
            spoilt.incr("{t}a")
    except coredis.exceptions.WatchError:
        answers.append("lost")
    return answers


async def test_answers_are_the_same_as_directly(proxy: Proxy, standalone: EmbeddedRedis) -> None:
    answers = []
    for port in (standalone.port, proxy.port):
        client, other = (coredis.Redis(port=port, decode_responses=True, client_name="ordinary-use") for _ in range(2))
        async with client, other:
            answers.append(await ordinary_use(client) + await pipelines(client, other))
    directly, through = answers
    assert directly[3] == "hällo"
    assert directly[-1] == "lost"
    assert through == directly


async def heard(port: int) -> list[tuple[Any, ...]]:
    """What a subscriber to a channel and a pattern hears of two messages."""
    publisher = coredis.Redis(port=port, decode_responses=True)
    subscriber = coredis.Redis(port=port, decode_responses=True)
    async with publisher, subscriber, subscriber.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe("news")
        await pubsub.psubscribe("other.*")
        await publisher.publish("news", "first")
        await publisher.publish("other.thing", "second")
        messages = []
        async with asyncio.timeout(10):
            while len(messages) < 2:
                message = await pubsub.get_message(timeout=1)
                if message is not None:
                    messages.append((message["type"], message["channel"], message["data"]))
    return sorted(messages)


async def test_messages_are_heard_as_directly(proxy: Proxy, standalone: EmbeddedRedis) -> None:
    through, directly = await heard(proxy.port), await heard(standalone.port)
    assert directly == [("message", "news", "first"), ("pmessage", "other.thing", "second")]
    assert through == directly
