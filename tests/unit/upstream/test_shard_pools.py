from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rproxy.topology.snapshot import Endpoint, Shard
from rproxy.upstream.pool import Pool
from rproxy.upstream.shard_pools import ShardPools
from tests.support.fake_node import FakeNode
from tests.support.upstream import Upstream


@pytest.fixture
async def upstream(make_upstream: Callable[..., Upstream]) -> Upstream:
    return make_upstream()


@pytest.fixture
async def nodes(start_node: Any) -> list[FakeNode]:
    return [await start_node() for _ in range(4)]


@pytest.fixture
async def pools(upstream: Upstream, nodes: list[FakeNode]) -> list[Pool]:
    """Pools of nodes that are up."""
    return [upstream.cluster.pools.get(node.endpoint, is_readonly=True) for node in nodes]


async def bring_down(upstream: Upstream, node: FakeNode, pool: Pool) -> None:
    """Have the node die, and its pool hear of it."""
    await node.stop()
    pool.pick(0)
    await upstream.until(pool.is_down)


def shard_of(*tiers: tuple[Pool, ...], writer: Pool) -> ShardPools:
    return ShardPools(Shard(Endpoint("127.0.0.1", 1)), writer, tiers)


def chosen(shard: ShardPools, times: int) -> list[Pool | None]:
    return [shard.choose_reader() for _ in range(times)]


async def test_the_only_one_that_reads_needs_no_choice(pools: list[Pool]) -> None:
    first, second, *_ = pools
    assert shard_of((), (first,), writer=second).reader is first
    assert shard_of((first, second), writer=first).reader is None
    assert shard_of((first,), (second,), writer=first).reader is None


async def test_the_endpoints_of_the_best_tier_take_turns(pools: list[Pool]) -> None:
    first, second, third, fourth = pools
    found = chosen(shard_of((first, second, third), (fourth,), writer=fourth), 6)
    assert found[:3] == found[3:]
    assert set(found) == {first, second, third}


async def test_one_that_is_down_is_passed_over_and_the_next_tier_serves_when_all_are(
    upstream: Upstream, nodes: list[FakeNode], pools: list[Pool]
) -> None:
    first, second, third, _ = pools
    shard = shard_of((first, second), (third,), writer=third)
    await bring_down(upstream, nodes[0], first)
    assert chosen(shard, 4) == [second] * 4
    await bring_down(upstream, nodes[1], second)
    assert chosen(shard, 2) == [third] * 2
    await bring_down(upstream, nodes[2], third)
    assert set(chosen(shard, 2)) == {first, second}, "the best tier is tried in turn when all are down"


async def test_an_unhealthy_one_is_passed_over_as_long_as_there_is_another(
    upstream: Upstream, nodes: list[FakeNode], pools: list[Pool]
) -> None:
    first, second, third, _ = pools
    shard = shard_of((first, second), (third,), writer=third)
    first.is_unhealthy = True
    assert chosen(shard, 4) == [second] * 4
    second.is_unhealthy = True
    assert chosen(shard, 2) == [third] * 2
    await bring_down(upstream, nodes[2], third)
    assert set(chosen(shard, 4)) == {first, second}, "one that is unhealthy is better than one that is down"
    third.is_unhealthy = True
    await bring_down(upstream, nodes[0], first)
    assert chosen(shard, 4) == [second] * 4


async def test_one_that_was_down_is_chosen_again_though_nobody_asked_it(
    upstream: Upstream, nodes: list[FakeNode], pools: list[Pool]
) -> None:
    first, second, *_ = pools
    shard = shard_of((first, second), writer=second)
    await bring_down(upstream, nodes[0], first)
    assert chosen(shard, 2) == [second] * 2
    await nodes[0].start()
    await upstream.until(lambda: not first.is_down())
    assert set(chosen(shard, 2)) == {first, second}


async def test_a_policy_without_any_endpoint_chooses_none(pools: list[Pool]) -> None:
    assert chosen(shard_of((), (), writer=pools[0]), 2) == [None, None]
