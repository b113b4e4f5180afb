from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from tests.support.fake_node import Answer, FakeNode
from tests.support.upstream import Upstream

StartNode = Callable[..., Awaitable[FakeNode]]
MakeUpstream = Callable[..., Upstream]


@pytest.fixture
async def start_node() -> AsyncIterator[StartNode]:
    """Starts fake nodes, which are stopped at the end."""
    nodes: list[FakeNode] = []

    async def start(answers: Mapping[str, Answer] | None = None) -> FakeNode:
        nodes.append(FakeNode(answers))
        await nodes[-1].start()
        return nodes[-1]

    yield start
    for node in nodes:
        await node.stop()


@pytest.fixture
async def make_upstream(start_node: StartNode) -> AsyncIterator[MakeUpstream]:
    """Makes clusters under test, which are closed before the nodes are stopped."""
    made: list[Upstream] = []

    def make(*arguments: Any, **keywords: Any) -> Upstream:
        made.append(Upstream(*arguments, **keywords))
        return made[-1]

    yield make
    for upstream in made:
        await upstream.close()
