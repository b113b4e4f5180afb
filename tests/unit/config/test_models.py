"""The models: their defaults, what they accept and refuse, and that they keep secrets."""

from typing import Any

import pydantic
import pytest

from rproxy.config.converters import Address
from rproxy.config.health_sections import HealthChecksConfig, OutlierDetectionConfig
from rproxy.config.models import (
    AdminConfig,
    ClusterConfig,
    Config,
    LimitsConfig,
    ListenerConfig,
    SettingsConfig,
)
from rproxy.topology.read_policy import ReadPolicy


def cluster(**keys: Any) -> ClusterConfig:
    return ClusterConfig.model_validate({"name": "main", "endpoints": ["redis:6379"], **keys})


def test_the_defaults_of_a_cluster() -> None:
    plain = cluster()
    assert plain.type == "redis_cluster"
    assert plain.endpoints == ("redis:6379",)
    assert (plain.connect_timeout, plain.cluster_refresh_rate, plain.cluster_refresh_timeout) == (0.5, 5.0, 3.0)
    assert (plain.redirect_refresh_interval, plain.redirect_refresh_threshold) == (5.0, 5)
    assert (plain.failure_refresh_threshold, plain.host_degraded_refresh_threshold) == (1, 0)
    assert (plain.username, plain.password, plain.password_file) == (None, None, None)


def test_endpoints_are_watched_only_where_that_is_wanted() -> None:
    plain = cluster()
    assert (plain.outlier_detection, plain.health_checks, plain.connection_rate_limit_per_sec) == (None, None, 0)
    watched = cluster(
        outlier_detection=None, health_checks={}
    )  # a section with nothing in it, which YAML reads as null
    assert watched.outlier_detection == OutlierDetectionConfig()
    assert watched.health_checks == HealthChecksConfig()


def test_the_defaults_of_a_listener() -> None:
    settings, limits = SettingsConfig(), LimitsConfig()
    assert (settings.op_timeout, settings.enable_redirection, settings.enable_command_stats) == (5.0, True, True)
    assert settings.read_policy is ReadPolicy.PRIMARY
    assert (limits.max_arguments, limits.max_argument_size, limits.max_inline_size) == (1 << 20, 512 << 20, 64 << 10)
    assert (limits.output_buffer_limit, limits.client_idle_timeout) == (64 << 20, 0.0)


def test_the_admin_server_is_on_loopback() -> None:
    assert AdminConfig().address == Address("127.0.0.1", 9900)


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("primary", ReadPolicy.PRIMARY),
        ("MASTER", ReadPolicy.PRIMARY),
        ("Prefer_Master", ReadPolicy.PREFER_PRIMARY),
        ("prefer_primary", ReadPolicy.PREFER_PRIMARY),
        ("REPLICA", ReadPolicy.REPLICA),
        ("prefer_replica", ReadPolicy.PREFER_REPLICA),
        ("any", ReadPolicy.ANY),
    ],
)
def test_read_policies_have_envoys_names_too_in_any_case(name: str, policy: ReadPolicy) -> None:
    assert SettingsConfig.model_validate({"read_policy": name}).read_policy is policy


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"connect_timeout": 0}, ("connect_timeout",)),
        ({"connect_timeout": "25h"}, ("connect_timeout",)),
        ({"redirect_refresh_interval": -1}, ("redirect_refresh_interval",)),
        ({"redirect_refresh_threshold": "5"}, ("redirect_refresh_threshold",)),
        ({"redirect_refresh_threshold": True}, ("redirect_refresh_threshold",)),
        ({"connections_per_endpoint": 0}, ("connections_per_endpoint",)),
        ({"type": "sentinel"}, ("type",)),
        ({"name": "two words"}, ("name",)),
        ({"name": ""}, ("name",)),
        ({"endpoints": []}, ("endpoints",)),
        ({"endpoints": "redis:6379"}, ("endpoints",)),
        ({"password": 12345}, ("password",)),
        ({"colour": "red"}, ("colour",)),
        ({"connection_rate_limit_per_sec": -1}, ("connection_rate_limit_per_sec",)),
        ({"health_checks": [{"timeout": 1}]}, ("health_checks",)),
        ({"type": "standalone", "endpoints": ["a:1", "b:1"]}, ()),
        ({"password": "a", "password_file": "b"}, ()),
        ({"username": "a"}, ()),
    ],
)
def test_a_cluster_refuses(keys: dict[str, Any], place: tuple[str | int, ...]) -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        cluster(**keys)
    assert [found["loc"] for found in error.value.errors()] == [place]


def test_durations_and_sizes_are_numbers_in_the_model_and_text_outside() -> None:
    limits = LimitsConfig.model_validate({"client_idle_timeout": "5m", "output_buffer_limit": "1MB"})
    assert (limits.client_idle_timeout, limits.output_buffer_limit) == (300.0, 1 << 20)
    assert limits.model_dump(mode="json")["client_idle_timeout"] == "300s"
    assert limits.model_dump(mode="json")["output_buffer_limit"] == "1MiB"


def test_a_listener_has_an_address_of_any_kind() -> None:
    proxy = {"prefix_routes": {"catch_all_route": {"cluster": "main"}}}
    listener = ListenerConfig.model_validate({"name": "redis", "address": "unix:/tmp/x.sock", "redis_proxy": proxy})
    assert listener.address.path == "/tmp/x.sock"
    assert listener.redis_proxy.stat_prefix == "redis"
    assert listener.limits == LimitsConfig()


def test_a_password_is_not_shown() -> None:
    secret = cluster(password="hunter2")
    assert secret.password is not None
    assert secret.password.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{secret!r} {secret} {secret.model_dump_json()}"
    assert secret.model_dump(mode="json")["password"] == "********"


def test_a_config_needs_a_listener_and_a_cluster() -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        Config.model_validate({"listeners": [], "clusters": []})
    assert [found["loc"] for found in error.value.errors()] == [("listeners",), ("clusters",)]


def test_log_levels_may_be_in_capitals() -> None:
    keys: dict[str, Any] = {
        "listeners": [
            {"name": "r", "address": "h:1", "redis_proxy": {"prefix_routes": {"catch_all_route": {"cluster": "m"}}}}
        ],
        "clusters": [{"name": "m", "endpoints": ["h:2"]}],
    }
    assert Config.model_validate({**keys, "log_level": "DEBUG"}).log_level == "debug"
    plain = Config.model_validate(keys)
    assert (plain.admin, plain.workers, plain.drain_timeout, plain.log_level) == (None, 1, 10.0, "info")
