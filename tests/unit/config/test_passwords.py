"""Passwords in files."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from rproxy.config.flags import config_from_flags
from rproxy.config.models import Config, RedisProxyConfig
from rproxy.config.passwords import masked, with_passwords
from rproxy.config.problems import InvalidConfigError


def config(password_file: str) -> Config:
    plain = config_from_flags(seeds=["redis:6379"])
    cluster = plain.clusters[0].model_copy(update={"password_file": password_file})
    return plain.model_copy(update={"clusters": (cluster,)})


@pytest.mark.parametrize("content", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_a_file_has_the_password_without_its_line_break(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    for name in ("secret", str(tmp_path / "secret")):
        password = with_passwords(config(name), tmp_path).clusters[0].password
        assert password is not None
        assert password.get_secret_value() == "hunter2"


def test_a_config_without_files_stays_as_it_is(tmp_path: Path) -> None:
    plain = config_from_flags(seeds=["redis:6379"])
    assert with_passwords(plain, tmp_path) == plain


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"a" * 65537, "is too large for a password"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(InvalidConfigError) as error:
        with_passwords(config("secret"), tmp_path)
    (problem,) = error.value.problems
    assert (problem.loc, problem.message) == (("clusters", 0, "password_file"), f"secret: {reason}")


def test_a_password_is_masked_where_the_config_is_shown() -> None:
    plain = config_from_flags(seeds=["redis:6379"])
    cluster = plain.clusters[0].model_copy(update={"username": "app", "password": SecretStr("hunter2")})
    shown = masked(plain.model_copy(update={"clusters": (cluster,)}))["clusters"][0]
    assert (shown["username"], shown["password"]) == ("app", "********")


def test_a_password_from_a_file_is_shown_as_the_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    shown = masked(with_passwords(config("secret"), tmp_path))["clusters"][0]
    assert shown["password_file"] == "secret"
    assert "password" not in shown


def with_clients(**keys: object) -> Config:
    """A configuration whose listener has these keys of ``redis_proxy``."""
    plain = config_from_flags(seeds=["redis:6379"])
    listener = plain.listeners[0]
    proxy = RedisProxyConfig.model_validate({**listener.redis_proxy.model_dump(mode="json"), **keys})
    return plain.model_copy(update={"listeners": (listener.model_copy(update={"redis_proxy": proxy}),)})


def test_files_have_passwords_of_clients_beside_those_of_the_config(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text(f"{name}\n")
    config = with_clients(
        downstream_auth_passwords=["zero"],
        downstream_auth_password_files=["one", "two"],
        users=[{"name": "app", "rules": "on >inside ~* #" + "0" * 64, "password_files": ["three"]}],
    )
    read = with_passwords(config, tmp_path)
    proxy = read.listeners[0].redis_proxy
    assert [secret.get_secret_value() for secret in proxy.downstream_auth_passwords] == ["zero", "one", "two"]
    assert [secret.get_secret_value() for secret in proxy.users[0].passwords] == ["three"]
    shown = masked(read)["listeners"][0]["redis_proxy"]
    assert shown["downstream_auth_passwords"] == ["********"]
    assert shown["downstream_auth_password_files"] == ["one", "two"]
    assert shown["users"] == [
        {"name": "app", "rules": "on >******** ~* #********", "passwords": [], "password_files": ["three"]}
    ]
    assert not any(word in f"{read!r}{shown}" for word in ("inside", "zero", "0" * 64))


def test_every_file_of_clients_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    users = [{"name": "app", "rules": "on", "password_files": ["empty"]}]
    with pytest.raises(InvalidConfigError) as error:
        with_passwords(with_clients(downstream_auth_password_files=["missing"], users=users), tmp_path)
    assert str(error.value) == (
        "listeners[0].redis_proxy.downstream_auth_password_files[0]: missing: No such file or directory; "
        "listeners[0].redis_proxy.users[0].password_files[0]: empty: is empty"
    )
