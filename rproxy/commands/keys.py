"""Where the keys of a command stand in its arguments.

Positions count from 0, the command's name. Fixed positions are columns of the command table; the finders here are for
those that move: behind a numkeys, after STREAMS, as the operand of STORE. They follow the key specifications of the
Redis commands and raise ``ValueError`` where the arguments make no sense: which error that is, the server says best.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rproxy.commands.spec import CommandSpec, KeyFinder

_NUMBER = re.compile(rb"\s*([+-]?[0-9]{1,9})(?![0-9])")
_STREAM_OPTIONS = {b"BLOCK": 1, b"CLAIM": 1, b"COUNT": 1, b"GROUP": 2, b"NOACK": 0}
_SORT_OPTIONS = {b"BY": 1, b"GET": 1, b"LIMIT": 2, b"STORE": 1}
_RADIUS_OPTIONS = {b"COUNT": 1, b"STORE": 1, b"STOREDIST": 1}
_MIGRATE_OPTIONS = {b"AUTH": 1, b"AUTH2": 2}


def key_positions(spec: CommandSpec, args: Sequence[bytes]) -> Sequence[int]:
    """The positions of all keys of a command whose arity was checked. Raises ``ValueError`` as key finders do."""
    if spec.find_keys is not None:
        found: Sequence[int] = spec.find_keys(args)
        return found
    if spec.first_key == 0:
        return ()
    return range(spec.first_key, spec.last_key_of(len(args)) + 1, spec.key_step)


def is_blocking(spec: CommandSpec, args: Sequence[bytes]) -> bool:
    """Whether the command may make its client wait: XREAD and XREADGROUP only do with BLOCK."""
    if "blocking" not in spec.flags:
        return False
    if spec.find_keys is not streams:
        return True
    for word, _ in _words(args, 1, _STREAM_OPTIONS):
        if word == b"STREAMS":
            return False
        if word == b"BLOCK":
            return True
    return False


# -- key finders


def channel(args: Sequence[bytes]) -> Sequence[int]:
    """The channel of SPUBLISH, which stands where a key would: found here, so that the command is looked at closely."""
    return (1,)


def counted(count_at: int, *, destination: int | None = None, may_be_none: bool = False, step: int = 1) -> KeyFinder:
    """The finder of keys that follow their number, which stands at ``count_at``; ``destination`` is a key before it.

    Scripts and functions ``may_be_none``: they are allowed to have no keys. ``step`` leads from a key to the next.
    """
    least = 0 if may_be_none else 1
    before = () if destination is None else (destination,)

    def find(args: Sequence[bytes]) -> Sequence[int]:
        count = number_of_keys(args[count_at])
        first = count_at + 1
        if not least <= count <= (len(args) - first) // step:
            raise ValueError("numkeys does not fit the arguments")
        return (*before, *range(first, first + count * step, step))

    return find


def streams(args: Sequence[bytes]) -> Sequence[int]:
    """XREAD and XREADGROUP: the first half of what follows STREAMS; the other half are IDs.

    Where the halves differ, the smaller one counts, as to the server, which refuses the command then.
    """
    for word, position in _words(args, 1, _STREAM_OPTIONS):
        if word == b"STREAMS":
            count = (len(args) - position - 1) // 2
            if count == 0:
                break
            return range(position + 1, position + 1 + count)
        if word not in _STREAM_OPTIONS:
            break
    raise ValueError("no streams")


def sort(args: Sequence[bytes]) -> Sequence[int]:
    """SORT: its key and the destination of STORE. BY and GET name patterns, which are no keys."""
    return _with_destination(args, 2, _SORT_OPTIONS, (b"STORE",))


def radius(args: Sequence[bytes]) -> Sequence[int]:
    """GEORADIUS and GEORADIUSBYMEMBER: the key and the destination of STORE or STOREDIST."""
    return _with_destination(args, 5, _RADIUS_OPTIONS, (b"STORE", b"STOREDIST"))


def migrate(args: Sequence[bytes]) -> Sequence[int]:
    """MIGRATE: the third argument or, where that is empty, what follows KEYS."""
    for word, position in _words(args, 6, _MIGRATE_OPTIONS):
        if word == b"KEYS":
            if args[3]:
                raise ValueError("a key and KEYS")
            return range(position + 1, len(args))
    return (3,)


def _with_destination(
    args: Sequence[bytes], start: int, options: Mapping[bytes, int], stores: Sequence[bytes]
) -> Sequence[int]:
    """The key at 1 and the operand of the last of ``stores``, if any."""
    destination: tuple[int, ...] = ()
    for word, position in _words(args, start, options):
        if word in stores and position + 1 < len(args):
            destination = (position + 1,)
    return (1, *destination)


def _words(args: Sequence[bytes], start: int, options: Mapping[bytes, int]) -> Iterator[tuple[bytes, int]]:
    """The option words from ``start`` on, in upper case, with their positions; ``options`` tells operands."""
    position = start
    while position < len(args):
        word = args[position].upper()
        yield word, position
        position += 1 + options.get(word, 0)


def number_of_keys(text: bytes) -> int:
    """A number as C's ``atoi`` reads it: so a node finds the keys, even if the command itself refuses it then."""
    number = _NUMBER.match(text)
    return int(number[1]) if number else 0
