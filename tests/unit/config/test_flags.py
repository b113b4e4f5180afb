"""A configuration from flags."""

import pytest

from rproxy.config.flags import config_from_flags
from rproxy.errors import ConfigError
from rproxy.topology.read_policy import ReadPolicy


def test_seeds_alone_make_a_configuration() -> None:
    config = config_from_flags(seeds=["a:1,b:2", " c:3 "])
    (listener,) = config.listeners
    (cluster,) = config.clusters
    assert str(listener.address) == "127.0.0.1:6380"
    assert (cluster.name, cluster.type, cluster.endpoints) == ("main", "redis_cluster", ("a:1", "b:2", "c:3"))
    assert (config.admin, config.workers) == (None, 1)
    route = listener.redis_proxy.prefix_routes.catch_all_route
    assert route is not None
    assert (route.cluster, route.request_mirror_policy) == ("main", ())


def test_every_flag_has_its_effect() -> None:
    config = config_from_flags(
        seeds=["a:1"],
        listen="[::1]:7000",
        read_policy="PREFER_REPLICA",
        mirrors=["m:1", "n:2"],
        admin="127.0.0.1:9901",
        workers=3,
    )
    assert str(config.listeners[0].address) == "[::1]:7000"
    assert config.listeners[0].redis_proxy.settings.read_policy is ReadPolicy.PREFER_REPLICA
    assert str(config.admin and config.admin.address) == "127.0.0.1:9901"
    assert config.workers == 3
    mirrors = config.clusters[1:]
    assert [(mirror.name, mirror.type, mirror.endpoints) for mirror in mirrors] == [
        ("mirror", "standalone", ("m:1",)),
        ("mirror-2", "standalone", ("n:2",)),
    ]
    route = config.listeners[0].redis_proxy.prefix_routes.catch_all_route
    assert route is not None
    policies = [(mirror.cluster, mirror.exclude_read_commands) for mirror in route.request_mirror_policy]
    assert policies == [("mirror", True), ("mirror-2", True)]


def test_errors_name_the_flags() -> None:
    with pytest.raises(ConfigError) as error:
        config_from_flags(seeds=["a"], listen="6380", read_policy="odd", mirrors=["m"], admin="x", workers=0)
    flags = sorted(line.partition(":")[0] for line in str(error.value).splitlines())
    assert flags == ["--admin", "--listen", "--mirror", "--read-policy", "--seed", "--workers"]


def test_commas_alone_are_no_seeds() -> None:
    with pytest.raises(ConfigError, match=r"^--seed: must not be empty$"):
        config_from_flags(seeds=[","])


def test_admin_and_listener_cannot_share_an_address() -> None:
    with pytest.raises(ConfigError, match=r"^--admin: '127\.0\.0\.1:6380' is already"):
        config_from_flags(seeds=["a:1"], admin="127.0.0.1:6380")
