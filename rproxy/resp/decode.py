"""Replies as Python values, off the data path: what the proxy has to understand rather than relay."""

from __future__ import annotations

from typing import Any

import hiredis


def decode(reply: bytes) -> Any:
    """The value of one whole reply; strings of every kind are bytes, an error is an exception object."""
    reader = hiredis.Reader()
    reader.feed(reply)
    return reader.gets()


def as_map(value: Any) -> dict[Any, Any]:
    """A map as a dictionary, also one of RESP2, which is a flat array. Raises ``ValueError`` if it is neither."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or len(value) % 2:
        raise ValueError("no map")
    return dict(zip(value[::2], value[1::2], strict=True))
