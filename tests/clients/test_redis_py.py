"""redis-py in ordinary use, blocking and asyncio: the same answers through rproxy as directly."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
import redis.asyncio

from rproxy.demo.embedded import EmbeddedRedis
from tests.support.proxy import Proxy

Answers = list[tuple[str, Any]]
CLUSTER_CLIENT_S_OWN = {"name", "mset", "mget", "delete", "unlink", "exists", "dbsize"}
"""What redis-py's cluster client refuses or does in its own way, whatever the server: it has no keys of two slots."""


def ordinary_use(client: Any) -> Answers:
    """What an application does with one Redis, and what it gets."""
    answers: Answers = []

    def note(name: str, ask: Callable[[], Any]) -> None:
        try:
            answers.append((name, ask()))
        except (redis.ResponseError, redis.exceptions.RedisClusterException) as error:
            answers.append((name, (type(error).__name__, str(error))))

    note("ping", client.ping)
    note("name", client.client_getname)
    note("set", lambda: client.set("greeting", "hällo", ex=100))
    note("get", lambda: client.get("greeting"))
    note("missing", lambda: client.get("missing"))
    note("ttl", lambda: 90 < client.ttl("greeting") <= 100)
    note("mset", lambda: client.mset({"a": 1, "b": 2, "c": 3, "d": 4}))
    note("mget", lambda: client.mget("a", "missing", "d", "b"))
    note("delete", lambda: client.delete("a", "b", "missing"))
    note("unlink", lambda: client.unlink("c", "missing"))
    note("exists", lambda: client.exists("a", "c", "d"))
    note("incr", lambda: [client.incr("count") for _ in range(5)])
    note("incrbyfloat", lambda: client.incrbyfloat("float", 1.5))
    note("hset", lambda: client.hset("user:1", mapping={"name": "Ada", "born": 1815}))
    note("hgetall", lambda: client.hgetall("user:1"))
    note("rpush", lambda: client.rpush("queue", "x", "y", "z"))
    note("lrange", lambda: client.lrange("queue", 0, -1))
    note("sort", lambda: client.sort("queue", alpha=True, desc=True))
    note("zadd", lambda: client.zadd("scores", {"a": 1, "b": 2, "c": 3}))
    note("zrange", lambda: client.zrange("scores", 0, -1, withscores=True))
    note("sadd", lambda: (client.sadd("{tag}one", 1, 2, 3), client.sadd("{tag}two", 2, 3, 4)))
    note("sinter", lambda: client.sinter("{tag}one", "{tag}two"))
    note("xadd", lambda: client.xadd("events", {"kind": "start"}, id="1-1"))
    note("xread", lambda: client.xread({"events": "0"}, count=10))
    note("geoadd", lambda: client.geoadd("places", (13.361389, 38.115556, "Palermo")))
    note("geopos", lambda: client.geopos("places", "Palermo"))
    note("setbit", lambda: (client.setbit("bits", 7, 1), client.bitcount("bits")))
    note("pfadd", lambda: (client.pfadd("seen", "a", "b"), client.pfcount("seen")))
    note("type", lambda: [client.type(key) for key in ("greeting", "queue", "user:1", "missing")])
    note("wrong type", lambda: client.lpush("greeting", "x"))
    note("no integer", lambda: client.incr("greeting"))
    note("script", lambda: client.register_script("return {KEYS[1], ARGV[1]}")(keys=["k"], args=["v"]))
    note("script again", lambda: client.register_script("return {KEYS[1], ARGV[1]}")(keys=["other"], args=["v"]))
    note("pipeline", lambda: bulk(client))
    note("scan", lambda: sorted(client.scan_iter(match="bulk:1*", count=50)))
    note("keys", lambda: client.keys("user:*"))
    note("dbsize", client.dbsize)
    note("large", lambda: (client.set("large", "x" * 2_000_000), client.strlen("large")))
    note("lock", lambda: locked(client))
    return answers


def bulk(client: Any) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for number in range(500):
        pipeline.set(f"bulk:{number}", number).get(f"bulk:{number}")
    pipeline.lpush("greeting", "x")
    return [(str(answer) if isinstance(answer, Exception) else answer) for answer in pipeline.execute(False)]


def locked(client: Any) -> bool:
    with client.lock("resource", timeout=10):
        return bool(client.exists("resource"))


def use_of_two(client: Any, other: Any) -> Answers:
    """Transactions, blocking commands and channels: what takes two clients."""
    answers: Answers = [("transaction", client.pipeline().set("{t}a", 1).incr("{t}a").get("{t}a").execute())]
    with client.pipeline() as spoilt:
        spoilt.watch("{t}a")
        other.set("{t}a", 100)
        spoilt.multi()
        spoilt.incr("{t}a")
        with pytest.raises(redis.WatchError):
            spoilt.execute()
    answers.append(("transaction function", client.transaction(lambda pipe: pipe.multi() or pipe.incr("{t}a"), "{t}a")))
    answers.append(("blpop in vain", client.blpop("empty", timeout=0.05)))
    with ThreadPoolExecutor() as threads:
        taken = threads.submit(other.blpop, "waiting", 5)
        client.rpush("waiting", "element")
        answers.append(("blpop", taken.result()))
    with other.pubsub() as channels:
        channels.subscribe("news", "weather")
        channels.psubscribe("n*")
        answers.append(("subscribed", [channels.get_message(timeout=5) for _ in range(3)]))
        answers.append(("publish", [client.publish("news", "hällo"), client.publish("weather", "rain")]))
        heard = [channels.get_message(timeout=5) for _ in range(3)]
        answers.append(("heard", sorted(heard, key=repr)))
    return answers


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("is_decoding", [False, True])
def test_answers_are_the_same_as_directly(
    proxy: Proxy, standalone: EmbeddedRedis, protocol: int, is_decoding: bool
) -> None:
    directly, through = (
        redis.Redis(port=port, protocol=protocol, decode_responses=is_decoding, client_name="ordinary-use")
        for port in (standalone.port, proxy.port)
    )
    with directly, through:
        expected = ordinary_use(directly)
        assert dict(expected)["get"] == ("hällo" if is_decoding else "hällo".encode())
        for answer, wanted in zip(ordinary_use(through), expected, strict=True):
            assert answer == wanted
        assert use_of_two(through, through) == use_of_two(directly, directly)


def test_the_cluster_client(proxy: Proxy, standalone: EmbeddedRedis) -> None:
    with (
        redis.Redis(port=standalone.port) as directly,
        redis.RedisCluster(host="127.0.0.1", port=proxy.port) as through,
    ):
        expected = dict(ordinary_use(directly))
        answers = dict(ordinary_use(through))
    for name in expected.keys() - CLUSTER_CLIENT_S_OWN:
        assert (name, answers[name]) == (name, expected[name])


def test_a_pool_shared_by_threads(proxy: Proxy) -> None:
    client = redis.Redis(port=proxy.port, decode_responses=True)
    faults: list[str] = []

    def use(name: int) -> None:
        for number in range(100):
            client.set(f"{name}:{number}", number)
            if client.get(f"{name}:{number}") != str(number):
                faults.append(f"{name}:{number}")

    threads = [threading.Thread(target=use, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert client.dbsize() == 800
    client.close()


async def test_many_tasks_of_the_asyncio_client(proxy: Proxy) -> None:
    async with redis.asyncio.Redis(port=proxy.port, decode_responses=True) as client:

        async def use(name: int) -> list[bytes | str | None]:
            async with client.pipeline(transaction=False) as pipeline:
                for number in range(20):
                    pipeline.set(f"{name}:{number}", name)
                await pipeline.execute()
            return await client.mget([f"{name}:{number}" for number in range(20)])

        results = await asyncio.gather(*(use(name) for name in range(30)))
    assert results == [[str(name)] * 20 for name in range(30)]


async def test_channels_and_a_lost_watch_of_the_asyncio_client(proxy: Proxy) -> None:
    async with redis.asyncio.Redis(port=proxy.port, decode_responses=True) as client:
        async with client.pubsub() as channels:
            await channels.subscribe("news")
            await client.publish("news", "hello")
            heard = [await channels.get_message(timeout=5) for _ in range(2)]
        async with client.pipeline() as spoilt:
            await spoilt.watch("a")
            await client.set("a", 1)
            spoilt.multi()
            spoilt.incr("a")
            with pytest.raises(redis.WatchError):
                await spoilt.execute()
    assert [message and message["data"] for message in heard] == [1, "hello"]
