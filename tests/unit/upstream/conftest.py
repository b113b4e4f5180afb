from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.support.upstream import Upstream

MakeUpstream = Callable[..., Upstream]


@pytest.fixture
async def make_upstream(start_node: Any, op_timeout: float) -> AsyncIterator[MakeUpstream]:
    """Makes clusters under test, which are closed before the nodes are stopped."""
    made: list[Upstream] = []

    def make(*arguments: Any, **keywords: Any) -> Upstream:
        made.append(Upstream(*arguments, **{"op_timeout": op_timeout, **keywords}))
        return made[-1]

    yield make
    for upstream in made:
        await upstream.close()
