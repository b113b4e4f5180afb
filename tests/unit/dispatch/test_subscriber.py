"""What a client is subscribed to, while it moves to where its route leads now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from rproxy.dispatch.session import Session
from rproxy.dispatch.subscriber import Subscriber
from rproxy.upstream.subscription import Kind, Topic
from rproxy.upstream.subscriptions import Subscriptions

MOVED = b"news"


class Place:
    """Subscriptions that confirm what they are told to, and remember who claims, listens and lets go."""

    def __init__(self) -> None:
        self.cluster = SimpleNamespace(turn=SimpleNamespace(loop=asyncio.get_running_loop()))
        self.claims: list[Any] = []
        self.listening: list[Any] = []
        self.released: list[Any] = []
        self._settled: list[Callable[[bytes | None], None]] = []

    def claim(self, topic: Topic, on_settled: Callable[[bytes | None], None]) -> Any:
        claim = SimpleNamespace(subscription=SimpleNamespace(topic=topic))
        self.claims.append(claim)
        self._settled.append(on_settled)
        return claim

    def listen(self, claim: Any, hear: Any) -> None:
        self.listening.append(claim)

    def release(self, claim: Any) -> None:
        self.released.append(claim)

    async def settle(self, error: bytes | None = None) -> None:
        settled, self._settled = self._settled, []
        for on_settled in settled:
            on_settled(error)
        await asyncio.sleep(0)


def places() -> tuple[Subscriber, Place, Place]:
    """A client subscribed at the first of two."""
    here, there = Place(), Place()
    subscriber = Subscriber(Session(1, "127.0.0.1:1", "127.0.0.1:2", 0.0))
    claim = here.claim(Topic(Kind.CHANNEL, MOVED), lambda error: None)
    subscriber.add(Kind.CHANNEL, MOVED, cast(Subscriptions, here), claim)
    return subscriber, here, there


def move(subscriber: Subscriber, there: Place) -> bool:
    return subscriber.move(Kind.CHANNEL, MOVED, cast(Subscriptions, there), MOVED)


async def test_it_is_heard_of_here_until_it_is_confirmed_there() -> None:
    subscriber, here, there = places()
    assert move(subscriber, there)
    assert (here.released, there.listening) == ([], [])
    await there.settle()
    assert (here.released, there.listening) == (here.claims, there.claims)
    assert not move(subscriber, there)


async def test_it_is_claimed_once_however_often_the_janitor_comes_round() -> None:
    subscriber, _, there = places()
    assert [move(subscriber, there) for _ in range(3)] == [True] * 3
    assert len(there.claims) == 1


async def test_it_is_tried_again_after_a_refusal_and_stays_meanwhile() -> None:
    subscriber, here, there = places()
    move(subscriber, there)
    await there.settle(b"-ERR no\r\n")
    assert here.released == []
    assert move(subscriber, there)
    assert len(there.claims) == 2


async def test_who_unsubscribes_meanwhile_leaves_nothing_behind() -> None:
    subscriber, here, there = places()
    move(subscriber, there)
    subscriber.remove(Kind.CHANNEL, MOVED)
    await there.settle()
    assert (here.released, there.released, there.listening) == (here.claims, there.claims, [])
