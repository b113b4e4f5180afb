"""The redis-server that the tests run on."""

from __future__ import annotations

import pytest

from rproxy.demo.redis_process import find_redis_server, version_of

IS_7 = version_of(find_redis_server()) >= (7, 0)
"""Whether it is of Redis 7.0 or newer, after which rproxy's own words are made. Else it is a 6.2, the oldest."""


def needs_7(reason: str) -> pytest.MarkDecorator:
    """A test for Redis 7.0 and newer alone; ``reason`` says what a 6.2 has not, or does otherwise."""
    return pytest.mark.skipif(not IS_7, reason=reason)
