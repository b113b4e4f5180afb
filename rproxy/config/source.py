"""The configuration file as what a running process goes by: read again, and watched for changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rproxy.config.file_mark import Mark, mark_of
from rproxy.config.loader import load
from rproxy.config.models import Config


class ConfigFile:
    """The file ``path``, and the password files that it names."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._shown = str(path)

    def load(self) -> Config:
        """What the file says now. Raises ``ConfigError``."""
        return load(self._shown)

    def mark(self, config: Config) -> Mark:
        """The mark of the file, and of the password files of ``config``, which was read from it."""
        return mark_of(self.path.parent / name for name in [self.path.name, *_password_files(config)])


def _password_files(config: Config) -> Iterator[str]:
    for cluster in config.clusters:
        named = [cluster.password_file, *(auth.password_file for auth in cluster.endpoint_auth)]
        yield from (name for name in named if name is not None)
    for listener in config.listeners:
        yield from listener.redis_proxy.downstream_auth_password_files
        for user in listener.redis_proxy.users:
            yield from user.password_files
