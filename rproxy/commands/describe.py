"""What COMMAND and its subcommands answer: the commands that rproxy supports, as a Redis 7 server describes its own.

Replies are plain values: ``str`` where a server sends a simple string, ``bytes`` for a bulk string. Left out are key
specifications, and the tips that no proxy's client has a use for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from rproxy.commands.categories import categories_of
from rproxy.commands.keys import key_positions
from rproxy.commands.lookup import COMMANDS, SPECS, CommandError, resolve
from rproxy.commands.spec import CommandSpec, Plan, RequestPolicy, ResponsePolicy
from rproxy.commands.table import GROUPS
from rproxy.resp import encode
from rproxy.resp.encode import Value

# fmt: off
FLAGS = (
    "write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking", "loading", "stale",
    "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth", "no_mandatory_keys", "no_async_loading", "no_multi",
    "movablekeys", "allow_busy",
)
# fmt: on
"""All flags, in the order in which ``COMMAND`` shows them."""

_UNTOLD_POLICIES = {ResponsePolicy.FIRST, ResponsePolicy.CONCATENATE, ResponsePolicy.SPECIAL}
_SUMMARIES = {
    Plan.PLAIN: "Forwarded to the shard of its key.",
    Plan.KEYED: "Forwarded to the shard of its keys, which must share a slot.",
    Plan.SPLIT: "Split by slot where its keys do not share one; atomic per slot.",
    Plan.FAN_OUT: "Sent to every shard; the replies become one.",
    Plan.LOCAL: "Answered by rproxy.",
}
_FACTS = [(group, row.since) for group, rows in GROUPS.items() for row in rows]
"""Group and first release of each spec, by its index."""


def answer(args: Sequence[bytes]) -> Value:
    """The reply to COMMAND or one of its subcommands, whose arity was checked. Raises ``CommandError``."""
    name = args[1].upper() if len(args) > 1 else b""
    return ANSWERS[name](args[2:])


def is_supported(spec: CommandSpec) -> bool:
    """Whether a command, or any subcommand of a container, is executed rather than refused."""
    return spec.plan != Plan.UNSUPPORTED or any(map(is_supported, (spec.subcommands or {}).values()))


def summary_of(spec: CommandSpec) -> str:
    """One line on what rproxy does with the command."""
    if spec.plan == Plan.KEYED and not _has_keys(spec):
        return "Forwarded to any shard."
    if spec.plan == Plan.UNSUPPORTED:
        return spec.refusal.removeprefix("ERR ") if spec.refusal else "A container of subcommands."
    return _SUMMARIES[Plan(spec.plan)]


# -- the subcommands; each takes the arguments behind its name


def _everything(_: Sequence[bytes]) -> Value:
    return [info_of(spec) for spec in _described(SPECS)]


def _count(_: Sequence[bytes]) -> Value:
    return sum(1 for _ in _described(SPECS))


def _info(names: Sequence[bytes]) -> Value:
    if not names:
        return _everything(names)
    return [info_of(spec) if spec is not None else None for spec in map(_find, names)]


def _docs(names: Sequence[bytes]) -> Value:
    specs = [spec for spec in map(_find, names) if spec is not None] if names else _described(SPECS)
    return _map((_shown_name(spec), _docs_of(spec)) for spec in specs)


def _list(options: Sequence[bytes]) -> Value:
    specs = [spec for spec in SPECS if is_supported(spec)]
    if not options:
        return [_shown_name(spec) for spec in specs]
    if len(options) != 3 or options[0].upper() != b"FILTERBY":
        raise CommandError(encode.error("ERR syntax error"))
    select = _FILTERS.get(options[1].upper())
    if select is None:
        raise CommandError(encode.error("ERR syntax error"))
    wanted = options[2].decode(errors="replace").lower()
    return [_shown_name(spec) for spec in specs if select(spec, wanted)]


def _get_keys(args: Sequence[bytes]) -> Value:
    try:
        spec = resolve(COMMANDS, args)
    except CommandError:
        raise CommandError(encode.error("ERR Invalid command specified")) from None
    if not _has_keys(spec):
        raise CommandError(encode.error("ERR The command has no key arguments"))
    if not spec.accepts(len(args)):
        raise CommandError(encode.error("ERR Invalid number of arguments specified for command"))
    try:
        return [args[position] for position in key_positions(spec, args)]
    except ValueError:
        if "no_mandatory_keys" in spec.flags:
            return []
        raise CommandError(encode.error("ERR Invalid arguments specified for command")) from None


ANSWERS: dict[bytes, Callable[[Sequence[bytes]], Value]] = {
    b"": _everything,
    b"COUNT": _count,
    b"DOCS": _docs,
    b"GETKEYS": _get_keys,
    b"INFO": _info,
    b"LIST": _list,
}
"""The subcommands answered here, and COMMAND itself."""

_FILTERS: dict[bytes, Callable[[CommandSpec, str], bool]] = {
    b"ACLCAT": lambda spec, wanted: wanted in _categories(spec),
    b"MODULE": lambda spec, wanted: False,
    b"PATTERN": lambda spec, wanted: fnmatchcase(spec.name.decode().lower(), wanted.replace("[^", "[!")),
}


# -- one command


def info_of(spec: CommandSpec) -> list[Value]:
    """COMMAND INFO's ten elements on one command."""
    return [
        _shown_name(spec),
        spec.arity,
        [flag for flag in FLAGS if flag in spec.flags],
        spec.first_key,
        spec.last_key,
        spec.key_step,
        [f"@{category}" for category in _categories(spec)],
        _tips(spec),
        [],
        [info_of(subcommand) for subcommand in _described((spec.subcommands or {}).values(), within=True)],
    ]


def _docs_of(spec: CommandSpec) -> Value:
    group, since = _FACTS[spec.index]
    fields: list[tuple[bytes, Value]] = [
        (b"summary", summary_of(spec).encode()),
        (b"since", since.encode()),
        (b"group", group.encode()),
    ]
    if spec.subcommands:
        described = _described(spec.subcommands.values(), within=True)
        fields.append((b"subcommands", _map((_shown_name(each), _docs_of(each)) for each in described)))
    return _map(fields)


def _described(specs: Iterable[CommandSpec], *, within: bool = False) -> Iterator[CommandSpec]:
    """The supported ones of ``specs``: the commands or, ``within`` a container, its subcommands."""
    return (spec for spec in specs if (b"|" in spec.name) is within and is_supported(spec))


def _find(name: bytes) -> CommandSpec | None:
    """The supported command or subcommand (``object|freq``) of this name."""
    try:
        spec = resolve(COMMANDS, name.split(b"|", 1))
    except CommandError:
        return None
    return spec if is_supported(spec) else None


def _shown_name(spec: CommandSpec) -> bytes:
    return spec.name.lower()


def _has_keys(spec: CommandSpec) -> bool:
    return spec.find_keys is not None or spec.first_key > 0


def _categories(spec: CommandSpec) -> list[str]:
    group, _ = _FACTS[spec.index]
    return categories_of(spec.name.decode(), group, spec.flags, is_container=spec.subcommands is not None)


def _tips(spec: CommandSpec) -> list[Value]:
    tips: list[Value] = []
    if spec.request_policy is not RequestPolicy.ONE:
        tips.append(b"request_policy:%b" % spec.request_policy.value.encode())
    if spec.response_policy not in _UNTOLD_POLICIES:
        tips.append(b"response_policy:%b" % spec.response_policy.value.encode())
    return tips


def _map(items: Iterable[tuple[bytes, Value]]) -> Value:
    return dict(items)
