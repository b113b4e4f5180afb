from collections.abc import Callable
from typing import Any

import pytest

from rproxy.config.models import Config

MakeConfig = Callable[..., Config]


@pytest.fixture
def make_config() -> MakeConfig:
    """A configuration with one listener on a port that the system chooses; keywords replace top-level keys."""

    def make(*, address: str = "127.0.0.1:0", cluster: str = "main", **keys: Any) -> Config:
        listener = {
            "name": "redis",
            "address": address,
            "redis_proxy": {"prefix_routes": {"catch_all_route": {"cluster": cluster}}},
        }
        clusters = [{"name": cluster, "endpoints": ["127.0.0.1:1"], "password": "hushhush"}]
        return Config.model_validate({"listeners": [listener], "clusters": clusters, "drain_timeout": 1.0, **keys})

    return make
