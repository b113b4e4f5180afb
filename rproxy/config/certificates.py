"""The TLS context of a section that is in force: made again when its files change, dropping nobody."""

from __future__ import annotations

import logging
import ssl
import time

from rproxy.config.file_mark import Mark, mark_of
from rproxy.config.tls import TlsConfig, TlsError, context_of, files_of
from rproxy.config.tls_sections import ClientTlsConfig

CHECK_EVERY = 2.0
"""Seconds between two looks at whether the files have changed."""

log = logging.getLogger("rproxy.tls")


class Certificates:
    """``context`` is for the next connection, ``owner`` whose it is, for the log. Raises ``TlsError``."""

    def __init__(self, settings: TlsConfig, owner: str) -> None:
        self._settings = settings
        self._owner = owner
        self._mark = self._mark_of_files()
        self._checked_at = time.monotonic()
        self.context: ssl.SSLContext = context_of(settings)
        if isinstance(settings, ClientTlsConfig) and not settings.verify:
            log.warning("%s: verify is false: its certificates are not checked, anybody can pass for it", owner)

    def tick(self, now: float) -> None:
        """The janitor's round: load the files again if they have changed since they were looked at."""
        if now - self._checked_at >= CHECK_EVERY:
            self._checked_at = now
            self.check()

    def check(self) -> None:
        """Load the files again if they have changed; those that cannot be used leave the old ones in force."""
        mark = self._mark_of_files()
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self.context = context_of(self._settings)
        except TlsError as error:
            log.warning("%s: the new TLS files are refused, the old ones stay in force: %s", self._owner, error)
        else:
            log.info("%s: the TLS files have changed and are in force for new connections", self._owner)

    def server_name(self, host: str) -> str:
        """What the certificate of a server at ``host`` must be for."""
        name = self._settings.server_name if isinstance(self._settings, ClientTlsConfig) else None
        return name or host.rstrip(".")

    def _mark_of_files(self) -> Mark:
        return mark_of(files_of(self._settings))
