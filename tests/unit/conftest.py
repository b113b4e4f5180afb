"""Scripted nodes, and what is tested before them, for every package."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from rproxy.topology.snapshot import Topology
from tests.support.dispatch import Dispatch
from tests.support.downstream import Downstream
from tests.support.fake_node import PATIENCE, Answer, FakeNode
from tests.support.upstream import OP_TIMEOUT

StartNode = Callable[..., Awaitable[FakeNode]]


@pytest.fixture
def op_timeout(request: pytest.FixtureRequest) -> float:
    """Seconds that a request may take: more than it ever needs, but little in a test that is marked ``late``."""
    return OP_TIMEOUT if request.node.get_closest_marker("late") else PATIENCE


@pytest.fixture
async def start_node() -> AsyncIterator[StartNode]:
    """Starts fake nodes, which are stopped at the end."""
    nodes: list[FakeNode] = []

    async def start(answers: Mapping[str, Answer] | None = None, tls: ssl.SSLContext | None = None) -> FakeNode:
        nodes.append(FakeNode(answers, tls))
        await nodes[-1].start()
        return nodes[-1]

    yield start
    for node in nodes:
        await node.stop()


@pytest.fixture
async def make_dispatch(start_node: StartNode, op_timeout: float) -> AsyncIterator[Callable[..., Dispatch]]:
    """Makes dispatchers under test, which are closed before the nodes are stopped."""
    made: list[Dispatch] = []

    def make(*arguments: Any, **keywords: Any) -> Dispatch:
        made.append(Dispatch(*arguments, **{"op_timeout": op_timeout, **keywords}))
        return made[-1]

    yield make
    for dispatch in made:
        await dispatch.close()


@pytest.fixture
async def make_downstream(start_node: StartNode, op_timeout: float) -> AsyncIterator[Callable[..., Downstream]]:
    """Makes listeners under test, which are closed before the nodes are stopped."""
    made: list[Downstream] = []

    def make(*arguments: Any, **keywords: Any) -> Downstream:
        made.append(Downstream(*arguments, **{"op_timeout": op_timeout, **keywords}))
        return made[-1]

    yield make
    for downstream in made:
        await downstream.close()


@pytest.fixture
def make(make_downstream: Callable[..., Downstream], topology: Topology) -> Callable[..., Downstream]:
    """Makes a listener before a package's ``topology``, with the limits that are given."""

    def make_with(**limits: int) -> Downstream:
        return make_downstream({"main": topology}, limits=limits)

    return make_with
