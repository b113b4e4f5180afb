"""Specs of commands that the table does not know, from what a node's ``COMMAND`` says of them.

Modules bring such commands, and newer servers. What is judged by hand in the table follows rules here:

- *access*: as flagged; a command that is flagged neither ``readonly`` nor ``write`` but has keys counts as a write.
- *plan*: forwarded to the shard of its keys, or to any; to all shards if its tips say so and how replies are merged.
- *arity*: modules seldom state one, so a command has at least the arguments that hold its keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from rproxy.commands.key_spec import KeySpec, read
from rproxy.commands.spec import Access, CommandSpec, KeyFinder, Plan, RequestPolicy, ResponsePolicy

Entry = Sequence[Any]
"""What ``COMMAND INFO`` says of one command in RESP2: 10 elements since Redis 7.0, 7 before."""

UNKNOWN_KEYS = "ERR {} is not available through rproxy: where its keys stand cannot be told"
ONE_NODE = "ERR {} is not available through rproxy: it acts on one node"

_NAME = re.compile(rb"[A-Za-z0-9_.:-]{1,32}(\|[A-Za-z0-9_.:-]{1,32})?")
_OF_ONE_NODE = {"admin", "pubsub"}
_FAN_OUTS = {RequestPolicy.ALL_NODES.value, RequestPolicy.ALL_SHARDS.value}
_UNMERGED = {ResponsePolicy.FIRST, ResponsePolicy.SPECIAL}


class Learned(NamedTuple):
    """A learned command, with what ``COMMAND INFO`` shows of its keys."""

    spec: CommandSpec
    key_specs: tuple[KeySpec, ...]


def learn(entry: Entry, index_of: Callable[[bytes], int]) -> Iterator[Learned]:
    """The command that ``entry`` describes, then its subcommands.

    ``index_of`` gives the index of a command by name. Raises ``ValueError`` for an entry that makes no sense.
    """
    try:
        described = _Described(entry)
        subcommands = [learned for each in described.subcommands for learned in learn(each, index_of)]
        yield Learned(
            described.spec(index_of(described.name), [each.spec for each in subcommands]), described.key_specs
        )
    except (TypeError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(f"no description of a command: {error}") from None
    yield from subcommands


def finder_of(key_specs: Sequence[KeySpec]) -> KeyFinder:
    """The finder of the keys of all ``key_specs``."""

    def find(args: Sequence[bytes]) -> Sequence[int]:
        return tuple(dict.fromkeys(position for spec in key_specs for position in spec.positions(args)))

    return find


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
        self.key_specs = tuple(map(read, entry[8])) if has_details else ()
        self.subcommands: list[Entry] = list(entry[9]) if has_details else []

    def spec(self, index: int, subcommands: list[CommandSpec]) -> CommandSpec:
        """The row of the command table at ``index``, a container of ``subcommands`` if there are any."""
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
        return finder_of(self.key_specs) if "movablekeys" in self.flags and self._tells_keys() else None

    def _tells_keys(self) -> bool:
        """Whether the key specifications name all keys."""
        return bool(self.key_specs) and all(spec.is_usable for spec in self.key_specs)

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


def _text(value: Any) -> str:
    decoded: str = value.decode("latin-1")
    return decoded
