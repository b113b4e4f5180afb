"""The bodies of scripts by their digests, within a bound: the script that was used longest ago goes first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rproxy.topology.snapshot import Endpoint

LIMIT = 16 * 1024**2
"""Bytes of bodies that are remembered."""


class Script:
    """A body, and the primaries that are believed to have it."""

    __slots__ = ("body", "endpoints")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.endpoints: set[Endpoint] = set()


class ScriptCache:
    """What was seen in EVAL and SCRIPT LOAD. A digest is 40 hexadecimal digits in lower case."""

    __slots__ = ("_limit", "_scripts", "_size")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._scripts: dict[bytes, Script] = {}

    def remember(self, body: bytes, endpoints: Iterable[Endpoint] = ()) -> None:
        """Keep ``body``, which all ``endpoints`` have now; not one that is larger than the bound."""
        if len(body) > self._limit:
            return
        digest = hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
        script = self.find(digest)
        if script is None:
            script = self._scripts[digest] = Script(body)
            self._size += len(body)
            while self._size > self._limit:
                self.forget(next(iter(self._scripts)))
        script.endpoints.update(endpoints)

    def find(self, digest: bytes) -> Script | None:
        """The script of ``digest``, which counts as used now."""
        script = self._scripts.pop(digest, None)
        if script is not None:
            self._scripts[digest] = script
        return script

    def bodies(self) -> list[bytes]:
        """All bodies; those used last come last."""
        return [script.body for script in self._scripts.values()]

    def forget(self, digest: bytes) -> None:
        """Keep this one no longer."""
        script = self._scripts.pop(digest, None)
        if script is not None:
            self._size -= len(script.body)

    def clear(self) -> None:
        """Keep none."""
        self._scripts.clear()
        self._size = 0
