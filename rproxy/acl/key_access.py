"""What a command needs to be allowed of each of its keys: to read it, to write it, both, or only to name it.

Read off the flags of Redis's key specifications as its ACL does (``ACLSelectorCheckKey`` in ``acl.c``): ACCESS needs
reading; INSERT, UPDATE and DELETE need writing; what tells of a key no more than its existence, type or size needs
neither. A command without specifications needs what its access says, a write both, so nothing is allowed for want of
knowledge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntFlag

from rproxy.commands.key_flags import BY_ARGUMENTS
from rproxy.commands.key_uses import KEY_SPECS
from rproxy.commands.keys import key_positions, streams
from rproxy.commands.spec import CommandSpec


class Permission(IntFlag):
    """What a key pattern allows (``~`` both), and what a command needs."""

    NONE = 0
    READ = 1
    WRITE = 2
    BOTH = 3


NONE, READ, WRITE, BOTH = Permission.NONE, Permission.READ, Permission.WRITE, Permission.BOTH

_NEEDS = {"access": READ, "insert": WRITE, "update": WRITE, "delete": WRITE}
_SORTS = frozenset((b"SORT", b"SORT_RO"))
_SORT_OPERANDS = {b"BY": 1, b"LIMIT": 2, b"STORE": 1}


def key_needs(spec: CommandSpec, args: Sequence[bytes]) -> Iterator[tuple[int, Permission]]:
    """The position of each key of a command whose arity was checked, and what is needed of it.

    None where the arguments make no sense: then no server executes them.
    """
    by_arguments = BY_ARGUMENTS.get(spec.name)
    if by_arguments is not None:
        yield from ((position, _need(flags)) for position, flags in by_arguments(spec, args))
        return
    needs = _first_and_others(spec)
    if needs is not None:
        first, others = needs
        yield from ((position, others if index else first) for index, position in enumerate(_positions(spec, args)))


def common_need(spec: CommandSpec) -> Permission | None:
    """What is enough for each key of a command, whatever its arguments; ``None`` if it depends on the key."""
    if spec.name in BY_ARGUMENTS:
        return BOTH
    needs = _first_and_others(spec)
    return needs[0] if needs is not None and needs[0] == needs[1] else None


def _first_and_others(spec: CommandSpec) -> tuple[Permission, Permission] | None:
    """What is needed of the first key and of the others; ``None`` if they are no keys."""
    key_specs = KEY_SPECS.get(spec.name)
    if key_specs is None:
        need = READ if spec.is_read else BOTH
        return need, need
    return (_need(key_specs[0].flags), _need(key_specs[-1].flags)) if key_specs[0].is_of_keys else None


def _need(flags: Sequence[str]) -> Permission:
    need = NONE
    for flag in flags:
        need |= _NEEDS.get(flag, NONE)
    return need


def _positions(spec: CommandSpec, args: Sequence[bytes]) -> Sequence[int]:
    try:
        return key_positions(spec, args)
    except ValueError:
        # Streams follow their word whatever options a newer server allows before it.
        words = [argument.upper() for argument in args] if spec.find_keys is streams else []
        start = words.index(b"STREAMS", 1) + 1 if b"STREAMS" in words[1:] else len(args)
        return range(start, start + (len(args) - start) // 2)


def unnamed_read(spec: CommandSpec, args: Sequence[bytes]) -> str:
    """The option with which a SORT reads keys that its arguments do not name: BY or GET; empty if it has none."""
    if spec.name not in _SORTS:
        return ""
    position = 2
    while position + 1 < len(args):
        option = args[position].upper()
        if option == b"GET" or (option == b"BY" and b"*" in args[position + 1]):
            return option.decode()
        position += 1 + _SORT_OPERANDS.get(option, 0)
    return ""
