"""Problems are told all at once, in the words of the configuration file."""

from typing import Any

import pytest

from rproxy.config.problems import InvalidConfigError, path_of
from rproxy.config.validation import validate


def good(**top: Any) -> dict[str, Any]:
    proxy = {"prefix_routes": {"catch_all_route": {"cluster": "main"}}}
    return {
        "listeners": [{"name": "redis", "address": "127.0.0.1:6380", "redis_proxy": proxy}],
        "clusters": [{"name": "main", "endpoints": ["redis:6379"]}],
        **top,
    }


def problems(data: object) -> dict[str, str]:
    with pytest.raises(InvalidConfigError) as error:
        validate(data)
    return {path_of(problem.loc): problem.message for problem in error.value.problems}


def test_good_data_become_a_config() -> None:
    assert validate(good(workers=2)).workers == 2


@pytest.mark.parametrize("data", [[], "text", 5, None])
def test_the_top_is_a_map(data: object) -> None:
    assert problems(data) == {"": "must be a map of keys to values"}


@pytest.mark.parametrize(
    ("top", "path", "message"),
    [
        ({"workers": "2"}, "workers", "must be a whole number"),
        ({"workers": True}, "workers", "must be a whole number"),
        ({"workers": 1.5}, "workers", "must be a whole number"),
        ({"workers": None}, "workers", "must be a whole number"),
        ({"workers": 0}, "workers", "must be at least 1"),
        ({"workers": 1000}, "workers", "must be at most 256"),
        ({"drain_timeout": "soon"}, "drain_timeout", "'soon' is no duration; write it as 5s, 250ms or 1m"),
        ({"drain_timeout": -1}, "drain_timeout", "must be at least 0"),
        ({"drain_timeout": "25h"}, "drain_timeout", "must be at most 86400"),
        ({"log_level": "loud"}, "log_level", "must be 'debug', 'info', 'warning' or 'error'"),
        ({"admin": "127.0.0.1:9900"}, "admin", "must be a map of keys to values"),
        (
            {"admin": {"address": "unix:/x"}},
            "admin.address",
            "'unix:/x' is no address; write it as host:port or [::1]:port",
        ),
        ({"listeners": {"name": "redis"}}, "listeners", "must be a list"),
        ({"clusters": None}, "clusters", "must be a list"),
        ({"clusters": ["main"]}, "clusters[0]", "must be a map of keys to values"),
        ({"listener": []}, "listener", "unknown key; did you mean listeners?"),
        (
            {"op_timeout": 1},
            "op_timeout",
            "unknown key here; it belongs at listeners[].redis_proxy.settings.op_timeout",
        ),
        (
            {"zzz": 1},
            "zzz",
            "unknown key; there are admin, workers, listeners, clusters, drain_timeout, watch_config, log_level",
        ),
    ],
)
def test_the_words_for_a_wrong_value(top: dict[str, Any], path: str, message: str) -> None:
    assert problems(good(**top))[path] == message


def test_every_problem_is_told_at_once_those_across_sections_too() -> None:
    data = good(workers="many", colour="red")
    data["listeners"][0]["redis_proxy"]["prefix_routes"]["catch_all_route"]["cluster"] = "ghost"
    data["listeners"][0]["redis_proxy"]["settings"] = {"enable_redirection": "yes"}
    del data["listeners"][0]["name"]
    data["clusters"] += [{"name": "a b", "endpoints": [], "connect_timeout": 0, "type": "x"}]
    assert set(problems(data)) == {
        "workers",
        "colour",
        "listeners[0].name",
        "listeners[0].redis_proxy.settings.enable_redirection",
        "listeners[0].redis_proxy.prefix_routes.catch_all_route.cluster",
        "clusters[1].name",
        "clusters[1].endpoints",
        "clusters[1].connect_timeout",
        "clusters[1].type",
    }


def test_a_list_whose_elements_are_wrong_is_not_called_empty() -> None:
    assert list(problems(good(clusters=[{"name": "main", "endpoints": ["nonsense"]}]))) == ["clusters[0].endpoints[0]"]


def test_no_message_shows_a_secret() -> None:
    data = good()
    data["clusters"][0] |= {"password": ["hunter2"], "username": "hunter2", "endpoints": ["hunter2@host:1"]}
    assert "hunter2" not in str(problems(data))
    data = good(password="hunter2")
    assert "hunter2" not in str(problems(data))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"users": [{"name": "a b", "rules": "on"}]}, "users[0].name: a user's name has no blanks and is not empty"),
        ({"users": [{"name": "", "rules": "on"}]}, "users[0].name: a user's name has no blanks and is not empty"),
        (
            {"users": [{"name": "a", "rules": "on +nope"}]},
            "users[0].rules: '+nope': Unknown command or category name in ACL",
        ),
        ({"users": [{"name": "a", "rules": "on >my secret"}]}, "users[0].rules: rule 3: Syntax error"),
        ({"users": [{"name": "a", "rules": "on"}] * 2}, " defines the user 'a' more than once"),
        (
            {"users": [{"name": "default", "rules": "on"}], "downstream_auth_passwords": ["x"]},
            " defines the user 'default' more than once",
        ),
        ({"downstream_auth_username": "a"}, " has a downstream_auth_username but no downstream_auth_passwords"),
    ],
)
def test_a_user_that_makes_no_sense_is_named(keys: dict[str, Any], problem: str) -> None:
    data = {
        "listeners": [
            {
                "name": "redis",
                "address": "127.0.0.1:6380",
                "redis_proxy": {"prefix_routes": {"catch_all_route": {"cluster": "main"}}, **keys},
            }
        ],
        "clusters": [{"name": "main", "endpoints": ["redis:6379"]}],
    }
    with pytest.raises(InvalidConfigError) as error:
        validate(data)
    where = "listeners[0].redis_proxy" + (":" if problem.startswith(" ") else ".")
    assert str(error.value) == where + problem
