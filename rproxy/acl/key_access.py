"""What a command needs to be allowed of each of its keys: to read it, to write it, both, or only to name it.

The tables sum up the flags of Redis's key specifications as its ACL does (``ACLSelectorCheckKey`` in ``acl.c``):
ACCESS needs reading; INSERT, UPDATE and DELETE need writing; what tells of a key no more than its existence, type or
size needs neither. A write that stands in no table needs both, so nothing is allowed for want of knowledge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntFlag

from rproxy.commands.keys import key_positions, streams
from rproxy.commands.spec import CommandSpec


class Permission(IntFlag):
    """What a key pattern allows (``~`` both), and what a command needs."""

    NONE = 0
    READ = 1
    WRITE = 2
    BOTH = 3


NONE, READ, WRITE, BOTH = Permission.NONE, Permission.READ, Permission.WRITE, Permission.BOTH

_ONLY_NAME = frozenset(
    b"EXISTS HEXISTS HLEN HSTRLEN LLEN MEMORY|USAGE OBJECT|ENCODING OBJECT|FREQ OBJECT|IDLETIME OBJECT|REFCOUNT "
    b"SCARD SISMEMBER STRLEN TOUCH TYPE WATCH XLEN ZCARD".split()
)
_ONLY_WRITE = frozenset(
    b"APPEND DEL EXPIRE EXPIREAT GEOADD HDEL HEXPIRE HEXPIREAT HMSET HPERSIST HPEXPIRE HPEXPIREAT HSET HSETEX HSETNX "
    b"LINSERT LPUSH LPUSHX LREM LSET LTRIM MSET MSETNX PERSIST PEXPIRE PEXPIREAT PFADD PSETEX RESTORE RESTORE-ASKING "
    b"RPUSH RPUSHX SADD SETEX SETNX SETRANGE SREM UNLINK XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP|CREATE "
    b"XGROUP|CREATECONSUMER XGROUP|DELCONSUMER XGROUP|DESTROY XGROUP|SETID XSETID XTRIM ZADD ZREM ZREMRANGEBYLEX "
    b"ZREMRANGEBYRANK ZREMRANGEBYSCORE".split()
)
_NO_KEYS = frozenset(b"SPUBLISH SSUBSCRIBE SUNSUBSCRIBE".split())
"""Their channels have slots as keys have, but are none."""

_FIRST_AND_OTHERS = {
    **dict.fromkeys(b"BLMOVE BRPOPLPUSH LMOVE RENAME RENAMENX RPOPLPUSH SMOVE".split(), (BOTH, WRITE)),
    **dict.fromkeys(b"COPY GEORADIUS GEORADIUSBYMEMBER SORT".split(), (READ, WRITE)),
    **dict.fromkeys(b"BITOP GEOSEARCHSTORE SDIFFSTORE SINTERSTORE SUNIONSTORE".split(), (WRITE, READ)),
    **dict.fromkeys(b"ZDIFFSTORE ZINTERSTORE ZRANGESTORE ZUNIONSTORE".split(), (WRITE, READ)),
    b"PFMERGE": (BOTH, READ),
    b"XREADGROUP": (READ, READ),
}
_BITFIELD_READS = {b"GET": 2, b"OVERFLOW": 1}
"""The subcommands of a BITFIELD that only reads, and how many operands each has."""
_SORTS = frozenset((b"SORT", b"SORT_RO"))
_SORT_OPERANDS = {b"BY": 1, b"LIMIT": 2, b"STORE": 1}


def key_needs(spec: CommandSpec, args: Sequence[bytes]) -> Iterator[tuple[int, Permission]]:
    """The position of each key of a command whose arity was checked, and what is needed of it.

    None where the arguments make no sense: then no server executes them.
    """
    if spec.name in _NO_KEYS:
        return
    first, others = _needs_of(spec, args)
    for index, position in enumerate(_positions(spec, args)):
        yield position, others if index else first


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


def _needs_of(spec: CommandSpec, args: Sequence[bytes]) -> tuple[Permission, Permission]:
    """What the command needs of its first key, and of the others."""
    name = spec.name
    if name in _FIRST_AND_OTHERS:
        return _FIRST_AND_OTHERS[name]
    if name == b"SET":
        need = BOTH if any(argument.upper() == b"GET" for argument in args[3:]) else WRITE
    elif name == b"BITFIELD":
        need = READ if _only_reads(args) else BOTH
    elif name in _ONLY_NAME:
        need = NONE
    elif name in _ONLY_WRITE:
        need = WRITE
    else:
        need = READ if spec.is_read else BOTH
    return need, need


def _positions(spec: CommandSpec, args: Sequence[bytes]) -> Sequence[int]:
    try:
        return key_positions(spec, args)
    except ValueError:
        # Streams follow their word whatever options a newer server allows before it.
        words = [argument.upper() for argument in args] if spec.find_keys is streams else []
        start = words.index(b"STREAMS", 1) + 1 if b"STREAMS" in words[1:] else len(args)
        return range(start, start + (len(args) - start) // 2)


def _only_reads(args: Sequence[bytes]) -> bool:
    """Whether a BITFIELD has none but subcommands that read."""
    position = 2
    while position < len(args):
        operands = _BITFIELD_READS.get(args[position].upper())
        if operands is None or position + operands >= len(args):
            return False
        position += 1 + operands
    return True
