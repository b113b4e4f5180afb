"""The users of a listener, as its configuration says."""

from typing import Any

import pytest

from rproxy.config.access import users_of
from rproxy.config.models import RedisProxyConfig


def described(**keys: Any) -> list[str]:
    """The users, with their passwords counted."""
    routes = {"catch_all_route": {"cluster": "main"}}
    users = users_of(RedisProxyConfig.model_validate({"prefix_routes": routes, **keys}))
    return [" ".join(word for word in str(user).split() if word[0] != "#") + f" {len(user.hashes)}" for user in users]


OFF = "user default off resetchannels -@all 0"


@pytest.mark.parametrize(
    ("keys", "users"),
    [
        ({}, ["user default on nopass ~* &* +@all 0"]),
        ({"downstream_auth_passwords": ["a", "b"]}, ["user default on ~* &* +@all 2"]),
        (
            {"downstream_auth_username": "operator", "downstream_auth_passwords": ["a"]},
            [OFF, "user operator on ~* &* +@all 1"],
        ),
        ({"users": [{"name": "app", "rules": "on >a +get"}]}, ["user app on resetchannels -@all +get 1", OFF]),
        (
            {"users": [{"name": "app", "rules": "on nopass", "passwords": ["a b", "c"]}]},
            ["user app on resetchannels -@all 2", OFF],
        ),
        (
            {"users": [{"name": "app", "rules": "on"}], "downstream_auth_passwords": ["a"]},
            ["user app on resetchannels -@all 0", "user default on ~* &* +@all 1"],
        ),
        (
            {"users": [{"name": "default", "rules": "on nopass +@read"}]},
            ["user default on nopass resetchannels -@all +@read 0"],
        ),
    ],
)
def test_the_default_user_is_off_once_there_are_others(keys: dict[str, Any], users: list[str]) -> None:
    assert described(**keys) == users


def test_passwords_are_accepted() -> None:
    routes = {"catch_all_route": {"cluster": "main"}}
    keys = {"prefix_routes": routes, "downstream_auth_passwords": ["a"], "users": [{"name": "u", "rules": "on >b"}]}
    users = users_of(RedisProxyConfig.model_validate(keys))
    assert users.authenticate(b"default", b"a") is users.default
    assert users.authenticate(b"u", b"b") is not None
    assert users.authenticate(b"u", b"a") is None
