"""Who may come in, and as whom rproxy goes to a node: passwords stand in one place, and are shown in none."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from rproxy.config.credentials import EndpointAuthConfig, UserConfig, check_password

BOTH = "has both password and password_file; one of them is enough"
NO_PASSWORD = "has a username but neither password nor password_file"


def login(**keys: Any) -> EndpointAuthConfig:
    """A section with a user and a password that nothing has checked."""
    return EndpointAuthConfig.model_construct(endpoint="redis:6379", **keys)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"password": pydantic.SecretStr("a")},
        {"password_file": "b"},
        {"username": "app", "password": pydantic.SecretStr("a")},
        {"username": "app", "password_file": "b"},
    ],
)
def test_a_user_and_a_password_that_go_together(keys: dict[str, Any]) -> None:
    check_password(login(**keys))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"password": pydantic.SecretStr("a"), "password_file": "b"}, BOTH),
        ({"password": pydantic.SecretStr(""), "password_file": "b"}, BOTH),
        ({"username": "app", "password": pydantic.SecretStr("a"), "password_file": "b"}, BOTH),
        ({"username": "app"}, NO_PASSWORD),
    ],
)
def test_a_password_is_given_once_and_to_whom_there_is_a_user(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_password(login(**keys))


@pytest.mark.parametrize(
    ("keys", "message"), [({"password": "a", "password_file": "b"}, BOTH), ({"username": "app"}, NO_PASSWORD)]
)
def test_what_to_authenticate_with_at_an_endpoint_is_checked(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        EndpointAuthConfig.model_validate({"endpoint": "redis:6379", **keys})


def test_an_endpoint_may_want_no_authentication_at_all() -> None:
    auth = EndpointAuthConfig.model_validate({"endpoint": "redis:6379"})
    assert (auth.endpoint, auth.username, auth.password, auth.password_file) == ("redis:6379", None, None, None)


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"endpoint": "redis"}, "endpoint"),
        ({"username": "", "password": "a"}, "username"),
        ({"password_file": ""}, "password_file"),
        ({"password": 12345}, "password"),
    ],
)
def test_what_an_endpoint_refuses(keys: dict[str, Any], place: str) -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        EndpointAuthConfig.model_validate({"endpoint": "redis:6379", **keys})
    assert [found["loc"] for found in error.value.errors()] == [(place,)]


def test_a_password_of_an_endpoint_is_not_shown() -> None:
    auth = EndpointAuthConfig.model_validate({"endpoint": "redis:6379", "username": "app", "password": "hunter2"})
    assert auth.password is not None
    assert auth.password.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{auth!r} {auth} {auth.model_dump()} {auth.model_dump_json()}"


def test_passwords_of_a_user_may_have_blanks_and_stand_beside_those_of_the_rules() -> None:
    user = UserConfig.model_validate({"name": "app", "rules": "on >inside ~*", "passwords": ["two words", "three"]})
    assert user.rules.get_secret_value() == "on >inside ~*"
    assert [secret.get_secret_value() for secret in user.passwords] == ["two words", "three"]
    assert user.password_files == ()


def test_no_password_of_a_user_is_shown_those_of_the_rules_neither() -> None:
    user = UserConfig.model_validate({"name": "app", "rules": "on >hunter2 +get", "passwords": ["hunter2"]})
    assert "hunter2" not in f"{user!r} {user} {user.model_dump()} {user.model_dump_json()}"
    assert user.model_dump()["rules"] == "on >******** +get"


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"name": "two words"}, ("name",)),
        ({"rules": "on +nope"}, ("rules",)),
        ({"passwords": "hunter2"}, ("passwords",)),
        ({"password_files": ["one", ""]}, ("password_files", 1)),
    ],
)
def test_what_a_user_refuses(keys: dict[str, Any], place: tuple[str | int, ...]) -> None:
    with pytest.raises(pydantic.ValidationError) as error:
        UserConfig.model_validate({"name": "app", "rules": "on", **keys})
    assert [found["loc"] for found in error.value.errors()] == [place]
