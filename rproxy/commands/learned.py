"""Specs of commands that the table does not know, from what a node's ``COMMAND`` says of them.

Modules bring such commands, and newer servers. What is judged by hand in the table follows rules here:

- *access*: as flagged; a command that is flagged neither ``readonly`` nor ``write`` but has keys counts as a write.
- *plan*: forwarded to the shard of its keys, or to any; to all shards if its tips say so and how replies are merged.
- *arity*: modules seldom state one, so a command has at least the arguments that hold its keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rproxy.commands.keys import number_of_keys
from rproxy.commands.spec import Access, CommandSpec, KeyFinder, Plan, RequestPolicy, ResponsePolicy

Entry = Sequence[Any]
"""What ``COMMAND INFO`` says of one command in RESP2: 10 elements since Redis 7.0, 7 before."""
Positions = Callable[[Sequence[bytes]], Sequence[int]]

UNKNOWN_KEYS = "ERR {} is not available through rproxy: where its keys stand cannot be told"
ONE_NODE = "ERR {} is not available through rproxy: it acts on one node"

_NAME = re.compile(rb"[A-Za-z0-9_.:-]{1,32}(\|[A-Za-z0-9_.:-]{1,32})?")
_OF_ONE_NODE = {"admin", "pubsub"}
_FAN_OUTS = {RequestPolicy.ALL_NODES.value, RequestPolicy.ALL_SHARDS.value}
_UNMERGED = {ResponsePolicy.FIRST, ResponsePolicy.SPECIAL}


def specs_of(entry: Entry, index_of: Callable[[bytes], int]) -> Iterator[CommandSpec]:
    """The spec of the command that ``entry`` describes, then those of its subcommands.

    ``index_of`` gives the index of a command by name. Raises ``ValueError`` for an entry that makes no sense.
    """
    try:
        described = _Described(entry)
        subcommands = [spec for each in described.subcommands for spec in specs_of(each, index_of)]
        yield described.spec(index_of(described.name), subcommands)
    except (TypeError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(f"no description of a command: {error}") from None
    yield from subcommands


class _Described:
    """One entry, read."""

    def __init__(self, entry: Entry) -> None:
        self.name: bytes = entry[0].upper()
        if not _NAME.fullmatch(self.name):
            raise ValueError("no name of a command")
        self.arity = int(entry[1])
        self.flags = frozenset(_text(flag) for flag in entry[2])
        self.first, self.last, self.step = (int(position) for position in entry[3:6])
        has_details = len(entry) >= 10
        self.tips = dict(_text(tip).partition(":")[::2] for tip in entry[7]) if has_details else {}
        self.key_specs: list[Any] = list(entry[8]) if has_details else []
        self.subcommands: list[Entry] = list(entry[9]) if has_details else []

    def spec(self, index: int, subcommands: list[CommandSpec]) -> CommandSpec:
        find = self._finder()
        has_keys = find is not None or self.first > 0
        request, response = self._policies(has_keys)
        refusal = self._refusal(has_keys)
        return CommandSpec(
            self.name,
            self._arity() if find is None else self.arity,
            self._access(has_keys),
            plan=self._plan(find, refusal, request),
            first_key=self.first,
            last_key=self.last,
            key_step=self.step,
            find_keys=find,
            request_policy=request,
            response_policy=response,
            refusal=refusal,
            flags=self.flags,
            subcommands={each.name.partition(b"|")[2]: each for each in subcommands} if subcommands else None,
            index=index,
        )

    def _finder(self) -> KeyFinder | None:
        """A finder where the keys move and the key specifications say how."""
        if "movablekeys" not in self.flags or not self._tells_keys():
            return None
        finders = [_positions(_mapping(spec)) for spec in self.key_specs]

        def find(args: Sequence[bytes]) -> Sequence[int]:
            return tuple(dict.fromkeys(position for positions in finders for position in positions(args)))

        return find

    def _tells_keys(self) -> bool:
        """Whether the key specifications name all keys."""
        maps = [_mapping(spec) for spec in self.key_specs]
        types = {_text(_mapping(spec[part])["type"]) for spec in maps for part in ("begin_search", "find_keys")}
        is_complete = not any(_text(flag) == "incomplete" for spec in maps for flag in spec["flags"])
        return bool(maps) and is_complete and types <= {"index", "keyword", "range", "keynum"}

    def _access(self, has_keys: bool) -> Access:
        if "write" in self.flags:
            return Access.WRITE
        if "readonly" in self.flags:
            return Access.READ
        return Access.WRITE if has_keys else Access.ADMIN

    def _arity(self) -> int:
        """The arity, with room for the keys at fixed positions."""
        if self.first == 0:
            return self.arity
        if self.first < 0 or self.step <= 0 or 0 <= self.last < self.first:
            raise ValueError("no positions of keys")
        least = self.last + 1 if self.last > 0 else self.first - self.last
        if 0 < self.arity < least:
            raise ValueError("an arity without room for the keys")
        return self.arity if self.arity > 0 else -max(least, -self.arity)

    def _policies(self, has_keys: bool) -> tuple[RequestPolicy, ResponsePolicy]:
        """The policies of a command for every shard, if its replies can be merged."""
        try:
            response = ResponsePolicy(self.tips.get("response_policy", "first"))
        except ValueError:
            response = ResponsePolicy.FIRST
        if has_keys or self.tips.get("request_policy") not in _FAN_OUTS or response in _UNMERGED:
            return RequestPolicy.ONE, ResponsePolicy.FIRST
        return RequestPolicy(self.tips["request_policy"]), response

    def _refusal(self, has_keys: bool) -> str | None:
        shown = self.name.decode().replace("|", " ")
        if "movablekeys" in self.flags and not self._tells_keys():
            return UNKNOWN_KEYS.format(shown)
        if not has_keys and not self.subcommands and self.flags & _OF_ONE_NODE:
            return ONE_NODE.format(shown)
        return None

    def _plan(self, find: KeyFinder | None, refusal: str | None, request: RequestPolicy) -> Plan:
        if refusal is not None or self.subcommands:
            return Plan.UNSUPPORTED
        if request is not RequestPolicy.ONE:
            return Plan.FAN_OUT
        is_plain = find is None and 0 < self.first == self.last
        return Plan.PLAIN if is_plain else Plan.KEYED


# -- key specifications


def _positions(spec: dict[str, Any]) -> Positions:
    """The positions that one key specification gives, as ``getKeysUsingKeySpecs`` in Redis's ``db.c`` does."""
    begin, find = _mapping(spec["begin_search"]), _mapping(spec["find_keys"])
    search = (_at_index if _text(begin["type"]) == "index" else _behind_keyword)(_mapping(begin["spec"]))
    keys = (_range if _text(find["type"]) == "range" else _counted)(_mapping(find["spec"]))

    def positions(args: Sequence[bytes]) -> Sequence[int]:
        start = search(args)
        found = keys(args, start) if start else range(0)
        if found and found[-1] >= len(args):
            raise ValueError("the keys do not fit the arguments")
        return found

    return positions


def _at_index(spec: dict[str, Any]) -> Callable[[Sequence[bytes]], int]:
    index = int(spec["index"])
    return lambda args: index


def _behind_keyword(spec: dict[str, Any]) -> Callable[[Sequence[bytes]], int]:
    """The position behind a word, 0 if it is missing; a negative ``startfrom`` searches backwards from the end."""
    keyword, start = _text(spec["keyword"]).upper().encode("latin-1"), int(spec["startfrom"])

    def search(args: Sequence[bytes]) -> int:
        places = range(start, len(args)) if start > 0 else range(len(args) + start, 0, -1)
        return next((place + 1 for place in places if args[place].upper() == keyword), 0)

    return search


def _range(spec: dict[str, Any]) -> Callable[[Sequence[bytes], int], range]:
    """Keys up to the ``lastkey``, counted from the first or from the end; ``limit`` 2 takes half of what follows."""
    last, step, limit = int(spec["lastkey"]), int(spec["keystep"]), int(spec["limit"])
    if step <= 0:
        raise ValueError("no step")

    def keys(args: Sequence[bytes], first: int) -> range:
        if last >= 0:
            return range(first, first + last + 1, step)
        end = first + (len(args) - first) // limit if limit > 1 else len(args)
        return range(first, end + last + 1, step)

    return keys


def _counted(spec: dict[str, Any]) -> Callable[[Sequence[bytes], int], range]:
    """As many keys as a number says, which stands ``keynumidx`` behind the start."""
    count_at, first_at, step = int(spec["keynumidx"]), int(spec["firstkey"]), int(spec["keystep"])
    if step <= 0:
        raise ValueError("no step")

    def keys(args: Sequence[bytes], start: int) -> range:
        if start + count_at >= len(args):
            raise ValueError("no number of keys")
        first = start + first_at
        count = number_of_keys(args[start + count_at])
        if count > len(args):
            raise ValueError("more keys than arguments")
        return range(first, first + count * step, step)

    return keys


def _mapping(pairs: Any) -> dict[str, Any]:
    """A map, which RESP2 sends as a flat array."""
    return {_text(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _text(value: Any) -> str:
    decoded: str = value.decode("latin-1")
    return decoded
