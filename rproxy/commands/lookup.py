"""From a command's arguments to its row, or to the error that a Redis 7 server gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from rproxy.commands.spec import Access, CommandSpec, Plan
from rproxy.commands.table import GROUPS, Row
from rproxy.errors import RproxyError
from rproxy.resp.name_index import NameIndex

_SHOWN = 128
"""So many bytes of a client's words are repeated to it (``server.c``, ``commandCheckExistence``)."""
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
_ACCESS_FLAGS = {Access.READ: "readonly", Access.WRITE: "write"}


class CommandError(RproxyError):
    """A command that cannot be executed; ``line`` is the encoded error reply."""

    def __init__(self, line: bytes) -> None:
        super().__init__(line[1:-2].decode(errors="replace"))
        self.line = line


# -- the table, compiled


def compile_rows(rows: Iterable[Row]) -> tuple[CommandSpec, ...]:
    """A spec per row, each with its position as ``index``; subcommands hang at their containers.

    Raises ``ValueError`` for a subcommand whose container does not come before it.
    """
    specs: dict[str, CommandSpec] = {}
    ordered = list(rows)
    containers = {row.name.partition("|")[0] for row in ordered if "|" in row.name}
    for index, row in enumerate(ordered):
        spec = specs[row.name] = _spec_of(row, index, is_container=row.name in containers)
        container, _, subcommand = row.name.partition("|")
        if subcommand:
            siblings = specs[container].subcommands if container in specs else None
            if siblings is None:
                raise ValueError(f"{row.name} comes before {container}")
            siblings[subcommand.encode()] = spec
    return tuple(specs.values())


def _spec_of(row: Row, index: int, is_container: bool) -> CommandSpec:
    refusal = row.plan if isinstance(row.plan, str) else None
    return CommandSpec(
        row.name.encode(),
        row.arity,
        row.access,
        plan=Plan.UNSUPPORTED if isinstance(row.plan, str) else row.plan,
        first_key=row.keys.first,
        last_key=row.keys.last,
        key_step=row.keys.step,
        find_keys=row.keys.find,
        request_policy=row.request,
        response_policy=row.response,
        transaction=row.transaction,
        refusal=refusal.format(row.name.replace("|", " ")) if refusal else None,
        flags=_flags(row.access, row.flags),
        subcommands={} if is_container else None,
        index=index,
    )


@cache
def _flags(access: Access, column: str) -> frozenset[str]:
    """All flags that ``COMMAND`` shows; rows with the same share one set."""
    words = set(column.split())
    removed = {word for word in words if word.startswith("-")}
    implied = _ACCESS_FLAGS.get(access)
    if implied and f"-{implied}" not in removed:
        words.add(implied)
    return frozenset(words - removed)


def index_names(specs: Iterable[CommandSpec]) -> NameIndex:
    """The commands, without subcommands, by name."""
    names = NameIndex()
    for spec in specs:
        if b"|" not in spec.name:
            names.put(spec.name, spec)
    return names


SPECS = compile_rows(row for rows in GROUPS.values() for row in rows)
"""Every spec of the table; ``SPECS[i].index == i``."""
COMMANDS = index_names(SPECS)
"""The commands of the table by name, in any case."""


# -- lookup


def resolve(commands: NameIndex, args: Sequence[bytes]) -> CommandSpec:
    """The spec of a command, or of its subcommand if it is a container's. Raises ``CommandError`` if there is none."""
    spec: CommandSpec | None = commands.get(args[0])
    if spec is None:
        raise CommandError(unknown_command(args))
    if spec.subcommands is None or len(args) == 1:
        return spec
    subcommand = spec.subcommands.get(args[1].upper())
    if subcommand is None:
        raise CommandError(unknown_subcommand(args))
    return subcommand


def check_arity(spec: CommandSpec, argument_count: int) -> None:
    """Raise ``CommandError`` unless the command takes ``argument_count`` arguments, its name included."""
    if not spec.accepts(argument_count):
        raise CommandError(wrong_arity(spec))


# -- Redis's error lines


def wrong_arity(spec: CommandSpec) -> bytes:
    """The error reply to a wrong number of arguments."""
    return _error(b"wrong number of arguments for '%b' command" % spec.name.lower())


def unknown_command(args: Sequence[bytes]) -> bytes:
    """The error reply to a name that is no command's, with the beginning of its arguments."""
    shown = b""
    for argument in args[1:]:
        if len(shown) >= _SHOWN:
            break
        shown += b"'%b' " % _cut(argument, _SHOWN - len(shown))
    return _error(b"unknown command '%b', with args beginning with: %b" % (_cut(args[0], _SHOWN), shown))


def unknown_subcommand(args: Sequence[bytes]) -> bytes:
    """The error reply to a container's unknown subcommand."""
    return _error(b"unknown subcommand '%b'. Try %b HELP." % (_cut(args[1], _SHOWN), args[0].upper()))


def _cut(text: bytes, size: int) -> bytes:
    """What C's ``%.*s`` prints: up to ``size`` bytes, up to the first NUL."""
    return text[:size].partition(b"\0")[0]


def _error(text: bytes) -> bytes:
    return b"-ERR %b\r\n" % text.translate(_ONE_LINE)
