"""Key specifications: how ``COMMAND`` says where the keys of a command stand, and what it does with them.

https://redis.io/docs/latest/develop/reference/key-specs/. A notation keeps the table of them short: flags, then ``@``
and where to begin (``@2`` an index, ``@STREAMS:1`` a word searched from an index on, ``@?`` unknown), then how to go on
(``..-1`` to the last, ``/2`` in steps of two, ``%2`` through half of what follows, ``#`` as many as a number says).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rproxy.resp.encode import Distinct, Value
from rproxy.resp.integer import integer_of

Fields = Mapping[str, int | str]
_NOTATION = re.compile(r"(\d+|[A-Z]+:-?\d+|\?)(?:\.\.(-?\d+))?(?:/(\d+))?(?:%(\d+))?(#)?")


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One specification: ``flags``, where to begin and how to find the keys from there, each a type and its fields."""

    flags: tuple[str, ...]
    begin: tuple[str, Fields]
    find: tuple[str, Fields]
    note: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether it names keys, and all that it stands for."""
        known = self.begin[0] in ("index", "keyword") and self.find[0] in ("range", "keynum")
        return known and "incomplete" not in self.flags

    @property
    def is_of_keys(self) -> bool:
        """Whether it is of keys, rather than of sharded channels."""
        return "not_key" not in self.flags

    def positions(self, args: Sequence[bytes]) -> Sequence[int]:
        """Where its keys stand in ``args``, as ``getKeysUsingKeySpecs`` in Redis's ``db.c`` finds them.

        Raises ``ValueError`` where the arguments make no sense.
        """
        start = self._start(args)
        if not start:
            return ()
        found = self._counted(args, start) if self.find[0] == "keynum" else self._range(args, start)
        if found and found[-1] >= len(args):
            raise ValueError("the keys do not fit the arguments")
        return found

    def _start(self, args: Sequence[bytes]) -> int:
        """Where to begin, 0 for nowhere; a negative ``startfrom`` searches backwards from the end."""
        fields = self.begin[1]
        if self.begin[0] == "index":
            return int(fields["index"])
        if self.begin[0] != "keyword":
            return 0
        keyword, start = str(fields["keyword"]).upper().encode("latin-1"), int(fields["startfrom"])
        places = range(start, len(args)) if start > 0 else range(len(args) + start, 0, -1)
        return next((place + 1 for place in places if args[place].upper() == keyword), 0)

    def _range(self, args: Sequence[bytes], first: int) -> range:
        """Keys up to ``lastkey``, counted from the first or from the end; ``limit`` 2 takes half of what follows."""
        last, step, limit = (int(self.find[1][name]) for name in ("lastkey", "keystep", "limit"))
        if last >= 0:
            return range(first, first + last + 1, step)
        end = first + (len(args) - first) // limit if limit > 1 else len(args)
        return range(first, end + last + 1, step)

    def _counted(self, args: Sequence[bytes], start: int) -> range:
        """As many keys as a number says, which stands ``keynumidx`` behind the start."""
        count_at, first_at, step = (int(self.find[1][name]) for name in ("keynumidx", "firstkey", "keystep"))
        if start + count_at >= len(args):
            raise ValueError("no number of keys")
        count = integer_of(args[start + count_at])
        if not 0 <= count <= len(args):
            raise ValueError("the number of keys does not fit the arguments")
        return range(start + first_at, start + first_at + count * step, step)

    def value(self) -> Value:
        """As ``COMMAND INFO`` shows it."""
        shown: dict[bytes, Value] = {b"notes": self.note.encode()} if self.note else {}
        shown[b"flags"] = Distinct(self.flags)
        for name, (kind, fields) in ((b"begin_search", self.begin), (b"find_keys", self.find)):
            spec: dict[bytes, Value] = {
                field.encode(): value if isinstance(value, int) else value.encode("latin-1")
                for field, value in fields.items()
            }
            shown[name] = {b"type": kind.encode(), b"spec": spec}
        return shown


def in_range(flags: Sequence[str], first: int, last: int, step: int, note: str = "") -> KeySpec:
    """Keys at fixed positions, given as ``COMMAND`` gives them: ``last`` is absolute or counts from the end."""
    relative = last if last < 0 else last - first
    return KeySpec(tuple(flags), ("index", {"index": first}), _range_fields(relative, step, 0), note)


def parse(text: str, note: str = "") -> KeySpec:
    """A specification in the notation above. Raises ``ValueError``."""
    words, _, place = text.partition("@")
    match = _NOTATION.fullmatch(place)
    if match is None:
        raise ValueError(f"{text!r} is no key specification")
    begin, last, step, limit, is_counted = match.groups()
    flags = tuple(words.split())
    if begin == "?":
        return KeySpec(flags, ("unknown", {}), ("unknown", {}), note)
    keyword, colon, start = begin.partition(":")
    search: tuple[str, Fields] = (
        ("keyword", {"keyword": keyword, "startfrom": int(start)})
        if colon
        else (
            "index",
            {"index": int(begin)},
        )
    )
    if is_counted:
        find: tuple[str, Fields] = ("keynum", {"keynumidx": 0, "firstkey": 1, "keystep": int(step or 1)})
    else:
        find = _range_fields(int(last or 0), int(step or 1), int(limit or 0))
    return KeySpec(flags, search, find, note)


def read(described: Any) -> KeySpec:
    """A specification as a node sends it in RESP2. Raises ``ValueError`` or the like for what is none."""
    fields = _mapping(described)
    flags = tuple(_text(flag) for flag in fields["flags"])
    begin, find = (_typed(_mapping(fields[part])) for part in ("begin_search", "find_keys"))
    if find[0] in ("range", "keynum") and int(find[1]["keystep"]) <= 0:
        raise ValueError("no step from key to key")
    return KeySpec(flags, begin, find, _text(fields.get("notes", b"")))


def _typed(part: dict[str, Any]) -> tuple[str, Fields]:
    fields = {name: value if isinstance(value, int) else _text(value) for name, value in _mapping(part["spec"]).items()}
    kind = _text(part["type"])
    for name in _FIELDS.get(kind, ()):
        int(fields[name])
    if kind == "keyword":
        str(fields["keyword"])
    return kind, fields


_FIELDS = {
    "index": ("index",),
    "keyword": ("startfrom",),
    "range": ("lastkey", "keystep", "limit"),
    "keynum": ("keynumidx", "firstkey", "keystep"),
}
"""The numbers of each type."""


def _range_fields(last: int, step: int, limit: int) -> tuple[str, Fields]:
    return "range", {"lastkey": last, "keystep": step, "limit": limit}


def _mapping(pairs: Any) -> dict[str, Any]:
    """A map, which RESP2 sends as a flat array."""
    return {_text(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _text(value: Any) -> str:
    decoded: str = value.decode("latin-1")
    return decoded
