"""Passwords: read from files of their own, and masked where a configuration is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from rproxy.config.models import ClusterConfig, Config
from rproxy.config.problems import InvalidConfigError, Problem

_LARGEST = 65536
"""Bytes: more is no password but the wrong file."""


def with_passwords(config: Config, directory: Path) -> Config:
    """``config`` with the content of each ``password_file`` as the password; relative names are below ``directory``.

    Raises ``InvalidConfigError`` that names every file that cannot be used.
    """
    problems: list[Problem] = []
    clusters: list[ClusterConfig] = []
    for index, cluster in enumerate(config.clusters):
        update = {}
        if cluster.password_file is not None:
            try:
                update["password"] = _read(directory / cluster.password_file)
            except ValueError as error:
                problems.append(Problem(("clusters", index, "password_file"), f"{cluster.password_file}: {error}"))
        clusters.append(cluster.model_copy(update=update))
    if problems:
        raise InvalidConfigError(problems)
    return config.model_copy(update={"clusters": tuple(clusters)})


def masked(config: Config) -> dict[str, Any]:
    """The whole configuration with its defaults, as a file would write it; secrets are ``********``."""
    data = config.model_dump(mode="json", exclude_none=True)
    for cluster in data["clusters"]:
        if "password_file" in cluster:
            cluster.pop("password", None)
    return data


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
