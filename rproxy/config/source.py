"""The configuration file as what a running process goes by: read again, and watched for changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rproxy.config.loader import load
from rproxy.config.models import Config

Mark = tuple[tuple[int, ...], ...]
"""Changes when a file does: its time, size, inode and device, of each file; nothing of one that is not there."""


class ConfigFile:
    """The file ``path``, and the password files that it names."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._shown = str(path)

    def load(self) -> Config:
        """What the file says now. Raises ``ConfigError``."""
        return load(self._shown)

    def mark(self, config: Config) -> Mark:
        """What changes with the content of the file, or of a password file of ``config``, which was read from it.

        Names are followed to the file that they lead to now: Kubernetes changes where the name of a directory leads,
        and no file.
        """
        return tuple(_mark_of(self.path.parent / name) for name in [self.path.name, *_password_files(config)])


def _password_files(config: Config) -> Iterator[str]:
    for cluster in config.clusters:
        named = [cluster.password_file, *(auth.password_file for auth in cluster.endpoint_auth)]
        yield from (name for name in named if name is not None)
    for listener in config.listeners:
        yield from listener.redis_proxy.downstream_auth_password_files
        for user in listener.redis_proxy.users:
            yield from user.password_files


def _mark_of(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
