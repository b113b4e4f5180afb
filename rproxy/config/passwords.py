"""Passwords: read from files of their own, and masked where a configuration is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from rproxy.config.credentials import EndpointAuthConfig, UserConfig
from rproxy.config.models import ClusterConfig, Config, ListenerConfig
from rproxy.config.problems import InvalidConfigError, Loc, Problem

HasPassword = TypeVar("HasPassword", ClusterConfig, EndpointAuthConfig)

_LARGEST = 65536
"""Bytes: more is no password but the wrong file."""


def with_passwords(config: Config, directory: Path) -> Config:
    """``config`` with the content of every password file in its place; relative names are below ``directory``.

    Raises ``InvalidConfigError`` that names every file that cannot be used.
    """
    reader = _Reader(directory)
    clusters = tuple(reader.cluster(cluster, ("clusters", index)) for index, cluster in enumerate(config.clusters))
    listeners = tuple(
        reader.listener(listener, ("listeners", index, "redis_proxy"))
        for index, listener in enumerate(config.listeners)
    )
    if reader.problems:
        raise InvalidConfigError(reader.problems)
    return config.model_copy(update={"clusters": clusters, "listeners": listeners})


class _Reader:
    """Reads the files that sections name, and notes which cannot be used."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.problems: list[Problem] = []

    def cluster(self, cluster: ClusterConfig, loc: Loc) -> ClusterConfig:
        """The cluster with its passwords."""
        auths = tuple(
            self._with_password(auth, (*loc, "endpoint_auth", index))
            for index, auth in enumerate(cluster.endpoint_auth)
        )
        return self._with_password(cluster, loc).model_copy(update={"endpoint_auth": auths})

    def _with_password(self, section: HasPassword, loc: Loc) -> HasPassword:
        if section.password_file is None:
            return section
        return section.model_copy(update={"password": self._read(section.password_file, (*loc, "password_file"))})

    def listener(self, listener: ListenerConfig, loc: Loc) -> ListenerConfig:
        """The listener with the passwords of its clients."""
        proxy = listener.redis_proxy
        files = self._read_all(proxy.downstream_auth_password_files, (*loc, "downstream_auth_password_files"))
        users = tuple(self._user(user, (*loc, "users", index)) for index, user in enumerate(proxy.users))
        update = {"downstream_auth_passwords": (*proxy.downstream_auth_passwords, *files), "users": users}
        return listener.model_copy(update={"redis_proxy": proxy.model_copy(update=update)})

    def _user(self, user: UserConfig, loc: Loc) -> UserConfig:
        files = self._read_all(user.password_files, (*loc, "password_files"))
        return user.model_copy(update={"passwords": (*user.passwords, *files)})

    def _read_all(self, names: Sequence[str], loc: Loc) -> list[SecretStr]:
        return [self._read(name, (*loc, index)) for index, name in enumerate(names)]

    def _read(self, name: str, loc: Loc) -> SecretStr:
        try:
            return _read(self._directory / name)
        except ValueError as error:
            self.problems.append(Problem(loc, f"{name}: {error}"))
            return SecretStr("")


def masked(config: Config) -> dict[str, Any]:
    """The whole configuration with its defaults, as a file would write it; secrets are ``********``."""
    data = config.model_dump(mode="json", exclude_none=True)
    for cluster in data["clusters"]:
        for section in (cluster, *cluster["endpoint_auth"]):
            if "password_file" in section:
                section.pop("password", None)
    for listener in data["listeners"]:
        proxy = listener["redis_proxy"]
        _leave_out_read(proxy, "downstream_auth_passwords", "downstream_auth_password_files")
        for user in proxy["users"]:
            _leave_out_read(user, "passwords", "password_files")
    return data


def _leave_out_read(section: dict[str, Any], passwords: str, files: str) -> None:
    """Leave out, of the list ``passwords``, those at its end that came from ``files``."""
    section[passwords] = section[passwords][: len(section[passwords]) - len(section[files])]


def _read(path: Path) -> SecretStr:
    """The password in ``path``. Raises ``ValueError`` with a reason that shows nothing of it."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        password = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(error.strerror) from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not password or len(content) > _LARGEST:
        raise ValueError("is too large for a password" if password else "is empty")
    return SecretStr(password)
