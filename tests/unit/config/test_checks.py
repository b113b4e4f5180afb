"""Checks across sections, on data of any form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rproxy.config.checks import problems_across
from rproxy.config.problems import path_of


def found(data: object) -> dict[str, str]:
    return {path_of(problem.loc): problem.message for problem in problems_across(data)}


def data(routes: dict[str, Any], *cluster_names: str, **top: Any) -> dict[str, Any]:
    listener = {"name": "redis", "address": "127.0.0.1:1", "redis_proxy": {"prefix_routes": routes}}
    return {"listeners": [listener], "clusters": [{"name": name} for name in cluster_names], **top}


def test_routes_and_mirrors_name_clusters_that_exist() -> None:
    routes = {
        "routes": [{"cluster": "main", "request_mirror_policy": [{"cluster": "ghost"}]}],
        "catch_all_route": {"cluster": "nowhere"},
    }
    prefix = "listeners[0].redis_proxy.prefix_routes"
    assert found(data(routes, "main", "mirror")) == {
        f"{prefix}.catch_all_route.cluster": "'nowhere' is no cluster; there are main, mirror",
        f"{prefix}.routes[0].request_mirror_policy[0].cluster": "'ghost' is no cluster; there are main, mirror",
    }


def test_a_mirror_is_another_cluster_than_its_routes() -> None:
    mirrors = [{"cluster": "other"}, {"cluster": "main"}]
    routes = {"catch_all_route": {"cluster": "main", "request_mirror_policy": mirrors}}
    ((path, message),) = found(data(routes, "main", "other")).items()
    assert path.endswith("request_mirror_policy[1].cluster")
    assert message == "'main' is the route's own cluster; it would get every command twice"


def test_names_and_addresses_are_unique() -> None:
    listener = {"name": "redis", "address": "127.0.0.1:1"}
    repeated = {
        "listeners": [listener, listener],
        "clusters": [{"name": "main"}, {"name": "x"}, {"name": "main"}],
        "admin": {"address": "127.0.0.1:1"},
    }
    assert found(repeated) == {
        "listeners[1].name": "'redis' is already listeners[0].name",
        "listeners[1].address": "'127.0.0.1:1' is already listeners[0].address",
        "clusters[2].name": "'main' is already clusters[0].name",
        "admin.address": "'127.0.0.1:1' is already listeners[0].address",
    }


def test_a_free_port_may_be_asked_for_twice() -> None:
    listeners = [{"name": name, "address": "127.0.0.1:0"} for name in "ab"]
    assert found({"listeners": listeners}) == {}


@pytest.mark.parametrize("name", [None, 5, ["main"]])
def test_names_of_another_form_are_left_to_the_models(name: object) -> None:
    assert found(data({"catch_all_route": {"cluster": name}}, "main")) == {}


NAMES = [
    *("listeners", "clusters", "name", "address", "redis_proxy", "prefix_routes", "routes", "cluster"),
    *("catch_all_route", "request_mirror_policy", "admin"),
]
plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(plain_data)
def test_data_of_any_form_are_checked_without_failing(anything: object) -> None:
    for problem in problems_across(anything):
        assert problem.message
