"""The ACL categories of a command: implied by its flags, stated by its group or for itself.

The rules are Redis's (``setImplicitACLCategories`` in ``server.c``, and the command descriptions beside it).
"""

from __future__ import annotations

from collections.abc import Iterable

# fmt: off
CATEGORIES = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
    "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
)
# fmt: on
"""All categories, in the order in which ``COMMAND`` shows them."""

_BY_FLAG = {
    "write": ("write",),
    "admin": ("admin", "dangerous"),
    "pubsub": ("pubsub",),
    "blocking": ("blocking",),
    "fast": ("fast",),
}
_BY_GROUP = {
    "generic": "keyspace",
    "string": "string",
    "list": "list",
    "set": "set",
    "sorted-set": "sortedset",
    "hash": "hash",
    "stream": "stream",
    "geo": "geo",
    "hyperloglog": "hyperloglog",
    "bitmap": "bitmap",
    "scripting": "scripting",
    "transactions": "transaction",
    "connection": "connection",
}
_BY_COMMAND = {
    "ASKING": ("connection",),
    "COMMAND": ("connection",),
    "DBSIZE": ("keyspace",),
    "FLUSHALL": ("keyspace", "dangerous"),
    "FLUSHDB": ("keyspace", "dangerous"),
    "INFO": ("dangerous",),
    "KEYS": ("keyspace", "dangerous"),
    "LASTSAVE": ("admin", "dangerous"),
    "MIGRATE": ("keyspace", "dangerous"),
    "READONLY": ("connection",),
    "READWRITE": ("connection",),
    "RESTORE": ("keyspace", "dangerous"),
    "RESTORE-ASKING": ("keyspace", "dangerous"),
    "ROLE": ("admin", "dangerous"),
    "SORT": ("set", "sortedset", "list", "dangerous"),
    "SORT_RO": ("set", "sortedset", "list", "dangerous"),
    "SWAPDB": ("keyspace", "dangerous"),
    "WAIT": ("connection",),
    "WAITAOF": ("connection",),
}
"""Instead of the group's category; subcommands have their container's."""


def categories_of(name: str, group: str, flags: Iterable[str], *, is_container: bool) -> list[str]:
    """The categories of the command ``name`` (``CLIENT|ID``), in the order of ``CATEGORIES``.

    A container has the categories of its own row alone, unless it is a command too (COMMAND).
    """
    found = {category for flag in flags for category in _BY_FLAG.get(flag, ())}
    if "fast" not in found:
        found.add("slow")
    if "readonly" in flags and group != "scripting":
        found.add("read")
    own = _BY_COMMAND.get(name.partition("|")[0])
    if own is not None:
        found.update(own)
    elif group in _BY_GROUP and not is_container:
        found.add(_BY_GROUP[group])
    return [category for category in CATEGORIES if category in found]
