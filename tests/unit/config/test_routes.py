"""Route tables: they lead somewhere, and no key has two routes."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from rproxy.config.routes import MirrorConfig, PrefixRoutesConfig


def table(*prefixes: str, **keys: Any) -> PrefixRoutesConfig:
    """A table with a route for each of these prefixes."""
    routes = [{"prefix": prefix, "cluster": "main"} for prefix in prefixes]
    return PrefixRoutesConfig.model_validate({"routes": routes, **keys})


def test_a_route_table_leads_somewhere() -> None:
    with pytest.raises(pydantic.ValidationError, match="neither routes nor a catch_all_route"):
        PrefixRoutesConfig.model_validate({})
    assert table("a:").catch_all_route is None
    assert table(catch_all_route={"cluster": "main"}).routes == ()


def test_a_prefix_has_one_route() -> None:
    with pytest.raises(pydantic.ValidationError, match="has two routes for the prefix 'a:'"):
        table("a:", "b:", "a:")


def test_prefixes_that_begin_alike_have_a_route_each() -> None:
    assert [route.prefix for route in table("a", "a:", "a:b").routes] == ["a", "a:", "a:b"]


def test_prefixes_differ_by_case_only_where_it_counts() -> None:
    assert [route.prefix for route in table("A:", "a:").routes] == ["A:", "a:"]
    with pytest.raises(pydantic.ValidationError, match="has two routes for the prefix 'A:'"):
        table("A:", "a:", case_insensitive=True)
    assert len(table("Ä:", "ä:", case_insensitive=True).routes) == 2  # the case of ASCII alone, as in the route table


def test_a_prefix_is_kept_as_it_was_written_whatever_counts() -> None:
    assert table("User:", case_insensitive=True).routes[0].prefix == "User:"


def test_a_prefix_is_not_empty_since_that_is_the_catch_all() -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        table("")
    assert [found["loc"] for found in error.value.errors()] == [("routes", 0, "prefix")]


def test_a_route_sends_keys_as_they_are_to_one_cluster_unless_told_otherwise() -> None:
    (route,) = table("a:").routes
    assert (route.cluster, route.remove_prefix, route.request_mirror_policy) == ("main", False, ())
    assert table("a:").case_insensitive is False


def test_a_mirror_gets_everything_unless_told_otherwise() -> None:
    mirror = MirrorConfig(cluster="mirror")
    assert (mirror.exclude_read_commands, mirror.runtime_fraction) == (False, 1.0)


def test_the_share_of_a_mirror_is_a_number_in_the_model_and_text_outside() -> None:
    mirror = MirrorConfig.model_validate({"cluster": "mirror", "runtime_fraction": "12.5%"})
    assert mirror.runtime_fraction == 0.125
    assert mirror.model_dump(mode="json")["runtime_fraction"] == "12.5%"


def test_every_route_has_mirrors_the_catch_all_too() -> None:
    mirrors = [{"cluster": "one"}, {"cluster": "two"}]
    routes = PrefixRoutesConfig.model_validate(
        {
            "routes": [{"prefix": "a:", "cluster": "main", "request_mirror_policy": mirrors}],
            "catch_all_route": {"cluster": "main", "request_mirror_policy": mirrors},
        }
    )
    assert routes.catch_all_route is not None
    for route in (*routes.routes, routes.catch_all_route):
        assert [mirror.cluster for mirror in route.request_mirror_policy] == ["one", "two"]
