"""RESP encodings of what rproxy itself says: commands to nodes, replies and errors to clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

OK = b"+OK\r\n"
PONG = b"+PONG\r\n"
NULL = b"$-1\r\n"
NULL_3 = b"_\r\n"
EMPTY_ARRAY = b"*0\r\n"


class Text(bytes):
    """A text for people: a verbatim string in RESP3, a bulk string in RESP2."""

    __slots__ = ()


class Distinct(tuple["Value", ...]):
    """Elements without order or double: a set in RESP3, an array in RESP2."""

    __slots__ = ()


Value = None | bool | int | float | bytes | str | Sequence["Value"] | Mapping[bytes, "Value"] | Mapping[int, "Value"]
"""What ``reply`` encodes: ``str`` as a simple string, ``bytes`` as a bulk string, integers, doubles (bulk strings
in RESP2), arrays, maps, null."""


def command(arguments: Sequence[bytes]) -> bytes:
    """A request as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


def error(text: str) -> bytes:
    """An error line; ``text`` begins with its code (``ERR``, ``CROSSSLOT``...). Line breaks become blanks."""
    return b"-" + text.replace("\r", " ").replace("\n", " ").encode("latin-1", "replace") + b"\r\n"


def simple(text: str) -> bytes:
    """A simple string."""
    return b"+" + text.encode() + b"\r\n"


def integer(number: int) -> bytes:
    """An integer reply."""
    return b":%d\r\n" % number


def bulk(data: bytes) -> bytes:
    """A bulk string."""
    return b"$%d\r\n%b\r\n" % (len(data), data)


def verbatim(text: bytes) -> bytes:
    """A verbatim string of plain text, which only RESP3 has."""
    return b"=%d\r\ntxt:%b\r\n" % (len(text) + 4, text)


def array(encoded: Iterable[bytes]) -> bytes:
    """An array of elements that are encoded already."""
    elements = list(encoded)
    return b"*%d\r\n" % len(elements) + b"".join(elements)


def reply(value: Value, protocol: int = 2) -> bytes:
    """``value`` in RESP version ``protocol``; in RESP2 a map is a flat array, and null the null bulk string."""
    if value is None:
        return NULL if protocol == 2 else NULL_3
    if isinstance(value, bool | int):
        return integer(int(value))
    if isinstance(value, float):
        text = b"%.17g" % value
        return bulk(text) if protocol == 2 else b",%b\r\n" % text
    if isinstance(value, str):
        return simple(value)
    if isinstance(value, bytes):
        return verbatim(value) if protocol == 3 and isinstance(value, Text) else bulk(value)
    if isinstance(value, Mapping):
        pairs = [reply(part, protocol) for item in value.items() for part in item]
        return array(pairs) if protocol == 2 else b"%%%d\r\n" % len(value) + b"".join(pairs)
    elements = [reply(element, protocol) for element in value]
    if protocol == 3 and isinstance(value, Distinct):
        return b"~%d\r\n" % len(elements) + b"".join(elements)
    return array(elements)
