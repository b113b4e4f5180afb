"""Values by command name, found without regard to case and, compiled, without making an object of the name."""

from __future__ import annotations

from typing import Any


class NameIndex:
    """Values by name (1 to 32 bytes), whatever the name's case."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[bytes, Any] = {}

    def put(self, name: bytes, value: object) -> None:
        """Hold ``value`` under ``name``. Raises ``ValueError`` for a name of other sizes, or with a NUL."""
        if not 0 < len(name) <= 32:
            raise ValueError("a name has 1 to 32 bytes")
        if 0 in name:
            raise ValueError("a name has no NUL byte")
        self._values[name.upper()] = value

    def get(self, name: bytes) -> Any:
        """The value under ``name``, ``None`` if there is none."""
        return self._values.get(name.upper())
