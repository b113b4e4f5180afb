"""redis-py's publish and subscribe through rproxy, blocking and asyncio, in both protocols."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import redis
import redis.asyncio

from rproxy.demo.embedded import EmbeddedCluster
from tests.support.installed import needs_7
from tests.support.proxy import Proxy

PATIENCE = 5.0

only_on_7 = needs_7("sharded channels came with Redis 7.0")


def next_of(pubsub: Any, *kinds: str) -> tuple[str, Any, Any]:
    """The next message of ``kinds``: its kind, channel and data."""
    while message := pubsub.get_message(timeout=PATIENCE):
        if message["type"] in kinds:
            return message["type"], message["channel"], message["data"]
    raise AssertionError(f"no message of {kinds}")


@pytest.mark.parametrize("protocol", [2, 3])
def test_subscribing_publishing_and_leaving(proxy: Proxy, protocol: int) -> None:
    client = redis.Redis(port=proxy.port, protocol=protocol, decode_responses=True)
    with client, client.pubsub() as pubsub:
        pubsub.subscribe("news", "sport")
        pubsub.psubscribe("w*")
        assert [next_of(pubsub, "subscribe", "psubscribe")[1:] for _ in range(3)] == [
            ("news", 1),
            ("sport", 2),
            ("w*", 3),
        ]
        assert client.publish("news", "one") == 1
        assert client.publish("weather", "two") == 1
        assert client.publish("nobody", "three") == 0
        assert next_of(pubsub, "message", "pmessage") == ("message", "news", "one")
        assert next_of(pubsub, "message", "pmessage") == ("pmessage", "weather", "two")
        assert sorted(client.pubsub_channels()) == ["news", "sport"]
        assert client.pubsub_numsub("news", "nobody") == [("news", 1), ("nobody", 0)]
        assert client.pubsub_numpat() == 1
        pubsub.ping()
        pubsub.unsubscribe()
        pubsub.punsubscribe()
        assert {next_of(pubsub, "unsubscribe", "punsubscribe")[1] for _ in range(3)} == {"news", "sport", "w*"}
        assert not pubsub.subscribed


@only_on_7
def test_sharded_channels(proxy: Proxy) -> None:
    with redis.Redis(port=proxy.port, decode_responses=True) as client, client.pubsub() as pubsub:
        pubsub.ssubscribe("a", "b", "c")
        for name in ("a", "b", "c"):
            assert client.execute_command("SPUBLISH", name, name) == 1
        heard = [pubsub.get_message(timeout=PATIENCE) for _ in range(6)]
        assert {message["data"] for message in heard if message["type"] == "smessage"} == {"a", "b", "c"}


def test_a_thread_that_listens(proxy: Proxy) -> None:
    heard: list[str] = []
    has_heard = threading.Event()

    def on_message(message: dict[str, Any]) -> None:
        heard.append(message["data"])
        if len(heard) == 100:
            has_heard.set()

    with redis.Redis(port=proxy.port, decode_responses=True) as client, client.pubsub() as pubsub:
        pubsub.subscribe(news=on_message)
        assert next_of(pubsub, "subscribe") == ("subscribe", "news", 1)
        thread = pubsub.run_in_thread(sleep_time=0.01)
        with client.pipeline(transaction=False) as pipeline:
            for number in range(100):
                pipeline.publish("news", number)
            assert pipeline.execute() == [1] * 100
        assert has_heard.wait(PATIENCE)
        thread.stop()
        thread.join()
    assert heard == [str(number) for number in range(100)]


def test_keyspace_notifications(proxy: Proxy, cluster: EmbeddedCluster) -> None:
    for node in cluster.nodes:
        node.call("CONFIG", "SET", "notify-keyspace-events", "K$")
    try:
        with redis.Redis(port=proxy.port, decode_responses=True) as client, client.pubsub() as pubsub:
            pubsub.psubscribe("__keyspace@0__:*")
            next_of(pubsub, "psubscribe")
            for number in range(20):
                client.set(f"key:{number}", 1)
            heard = {next_of(pubsub, "pmessage")[1] for _ in range(20)}
        assert heard == {f"__keyspace@0__:key:{number}" for number in range(20)}
    finally:
        for node in cluster.nodes:
            node.call("CONFIG", "SET", "notify-keyspace-events", "")


async def test_many_tasks_that_listen(proxy: Proxy) -> None:
    async with redis.asyncio.Redis(port=proxy.port, decode_responses=True) as client:
        subscribed = asyncio.Semaphore(0)

        async def listen(count: int) -> list[str]:
            heard: list[str] = []
            async with client.pubsub() as pubsub:
                await pubsub.subscribe("news")
                async for message in pubsub.listen():
                    if message["type"] == "subscribe":
                        subscribed.release()
                    else:
                        heard.append(message["data"])
                    if len(heard) == count:
                        break
            return heard

        listeners = [asyncio.create_task(listen(10)) for _ in range(20)]
        async with asyncio.timeout(PATIENCE):
            for _ in listeners:
                await subscribed.acquire()
            for number in range(10):
                assert await client.publish("news", number) == 20
            assert await asyncio.gather(*listeners) == [[str(number) for number in range(10)]] * 20
