"""The commands that a worker knows: the table's rows, and what it has learned from its nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from rproxy.commands.key_spec import KeySpec
from rproxy.commands.key_uses import KEY_SPECS
from rproxy.commands.learned import learn
from rproxy.commands.lookup import SPECS, index_names
from rproxy.commands.spec import CommandSpec

LEARNED_MOST = 512
"""Learned commands and subcommands; further ones stay unknown."""

HTTP = frozenset({b"POST", b"HOST:"})
"""Names that a browser would send which was led here, with a body that may be commands; no client of Redis says them.

Who does is closed; nodes do the same, so these never go there, though a Redis 6 lists them as commands.
"""
_NOT_LEARNED = frozenset(spec.name for spec in SPECS) | HTTP


class Catalog:
    """``names`` finds a command; ``specs[i].index == i``, and learned ones stand behind the table's.

    A row of the table is never replaced. What was learned is kept, whatever becomes of the node that told it, and
    replaced when a node describes it anew, with the index that it had. ``key_specs`` are by name of the command;
    ``on_unknown`` are called when a client sends a command that stands nowhere.
    """

    __slots__ = ("_indices", "key_specs", "names", "on_unknown", "specs")

    def __init__(self) -> None:
        self.names = index_names(SPECS)
        self.specs = list(SPECS)
        self.key_specs: dict[bytes, tuple[KeySpec, ...]] = dict(KEY_SPECS)
        self.on_unknown: list[Callable[[], None]] = []
        self._indices: dict[bytes, int] = {}

    @property
    def learned(self) -> Sequence[CommandSpec]:
        """The learned commands and subcommands."""
        return self.specs[len(SPECS) :]

    def is_learned(self, spec: CommandSpec) -> bool:
        """Whether ``spec`` is no row of the table."""
        return spec.index >= len(SPECS)

    def unknown(self, names: Iterable[Any]) -> list[bytes]:
        """Those of ``names`` that may be learned, within the bound: no row of the table has them, and none is HTTP.

        Subcommands come with their containers.
        """
        commands = (name for name in names if isinstance(name, bytes) and b"|" not in name)
        return list(islice((name for name in commands if name.upper() not in _NOT_LEARNED), LEARNED_MOST))

    def miss(self) -> None:
        """A client sent an unknown command."""
        for tell in self.on_unknown:
            tell()

    def learn(self, entries: Iterable[Any]) -> list[CommandSpec]:
        """Take over the commands that ``COMMAND INFO`` describes; those that are new. Nonsense is passed over."""
        before = len(self.specs)
        for entry in entries:
            try:
                self._learn_one(entry)
            except ValueError:
                continue
        return self.specs[before:]

    def _learn_one(self, entry: Any) -> None:
        """Take over one command. Raises ``ValueError`` if it makes no sense."""
        if not isinstance(entry, list) or not self.unknown(entry[:1]):
            return
        indices = dict(self._indices)
        found = list(learn(entry, lambda name: indices.setdefault(name, len(SPECS) + len(indices))))
        if len(indices) > LEARNED_MOST:
            return
        self._indices = indices
        command = found[0].spec
        self.specs += [command] * (len(SPECS) + len(indices) - len(self.specs))
        for spec, key_specs in found:
            self.specs[spec.index] = spec
            self.key_specs[spec.name] = key_specs
        self.names.put(command.name, command)
