"""The keys of a command line, each with what the command does with it: COMMAND GETKEYS and GETKEYSANDFLAGS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.commands.catalog import Catalog
from rproxy.commands.keys import key_positions
from rproxy.commands.spec import CommandSpec

Flags = tuple[str, ...]
Use = tuple[int, Flags]
"""The position of a key, and its flags."""

_READ, _READ_AND_UPDATE, _OVERWRITE = ("RO", "access"), ("RW", "access", "update"), ("OW", "update")
_BITFIELD_READS = {b"GET": 2, b"OVERFLOW": 1}
"""The subcommands of a BITFIELD that only reads, and how many operands each has."""


def uses_of(spec: CommandSpec, args: Sequence[bytes], catalog: Catalog) -> list[Use]:
    """The keys of a command whose arity was checked. Raises ``ValueError`` where the arguments make no sense."""
    by_arguments = BY_ARGUMENTS.get(spec.name)
    if by_arguments is not None:
        return by_arguments(spec, args)
    key_specs = [each for each in catalog.key_specs.get(spec.name, ()) if each.is_of_keys]
    if all(each.is_usable for each in key_specs):
        return [(position, each.flags) for each in key_specs for position in each.positions(args)]
    return [(position, key_specs[0].flags) for position in key_positions(spec, args)]


def has_keys(spec: CommandSpec, catalog: Catalog) -> bool:
    """Whether the command may have keys; sharded channels are none."""
    return any(each.is_of_keys for each in catalog.key_specs.get(spec.name, ()))


# -- commands whose flags depend on their arguments (``db.c``: ``setGetKeys`` and its kin)


def _set(spec: CommandSpec, args: Sequence[bytes]) -> list[Use]:
    has_get = any(word.upper() == b"GET" for word in args[3:])
    return [(1, _READ_AND_UPDATE if has_get else _OVERWRITE)]


def _bitfield(spec: CommandSpec, args: Sequence[bytes]) -> list[Use]:
    position = 2
    while position < len(args):
        operands = _BITFIELD_READS.get(args[position].upper())
        if operands is None or position + operands >= len(args):
            return [(1, _READ_AND_UPDATE)]
        position += 1 + operands
    return [(1, _READ)]


def _sort(spec: CommandSpec, args: Sequence[bytes]) -> list[Use]:
    key, *stores = key_positions(spec, args)
    return [(key, _READ), *((store, _OVERWRITE) for store in stores)]


BY_ARGUMENTS: dict[bytes, Callable[[CommandSpec, Sequence[bytes]], list[Use]]] = {
    b"BITFIELD": _bitfield,
    b"SET": _set,
    b"SORT": _sort,
}
