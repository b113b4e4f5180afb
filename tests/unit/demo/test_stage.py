"""The tour's configuration of rproxy."""

from rproxy.config.validation import validate
from rproxy.demo.stage import configuration
from rproxy.topology.read_policy import ReadPolicy


def test_the_tours_configuration_is_what_its_steps_promise() -> None:
    config = validate(configuration("127.0.0.1:7000,127.0.0.1:7001", "127.0.0.1:7002", port=7003, admin_port=7004))
    proxy = config.listeners[0].redis_proxy
    route = proxy.prefix_routes.catch_all_route
    assert proxy.settings.read_policy is ReadPolicy.REPLICA
    assert route is not None
    assert [(mirror.cluster, mirror.exclude_read_commands) for mirror in route.request_mirror_policy] == [
        ("mirror", True)
    ]
    assert {cluster.name: cluster.endpoints for cluster in config.clusters} == {
        "main": ("127.0.0.1:7000", "127.0.0.1:7001"),
        "mirror": ("127.0.0.1:7002",),
    }
