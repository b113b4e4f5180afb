"""One command as COMMAND INFO and COMMAND DOCS describe it.

Replies are plain values: ``str`` where a server sends a simple string, ``bytes`` for a bulk string.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rproxy.commands.catalog import Catalog
from rproxy.commands.categories import categories_of
from rproxy.commands.spec import CommandSpec, Plan
from rproxy.commands.table import GROUPS
from rproxy.commands.tips import TIPS
from rproxy.resp.encode import Distinct, Value

# fmt: off
FLAGS = (
    "write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking", "loading", "stale",
    "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth", "no_mandatory_keys", "no_async_loading", "no_multi",
    "movablekeys", "allow_busy",
)
# fmt: on
"""All flags, in the order in which ``COMMAND`` shows them."""

_SUMMARIES = {
    Plan.PLAIN: "Forwarded to the shard of its key.",
    Plan.KEYED: "Forwarded to the shard of its keys, which must share a slot.",
    Plan.SPLIT: "Split by slot where its keys do not share one; atomic per slot.",
    Plan.FAN_OUT: "Sent to every shard; the replies become one.",
    Plan.LOCAL: "Answered by rproxy.",
}
_FACTS = [(group, row.since) for group, rows in GROUPS.items() for row in rows]
"""Group and first release of each row of the table, by its index."""


def is_supported(spec: CommandSpec) -> bool:
    """Whether a command, or any subcommand of a container, is executed rather than refused."""
    return spec.plan != Plan.UNSUPPORTED or any(map(is_supported, (spec.subcommands or {}).values()))


def described(specs: Iterable[CommandSpec], *, within: bool = False) -> Iterator[CommandSpec]:
    """The supported ones of ``specs``: the commands or, ``within`` a container, its subcommands."""
    return (spec for spec in specs if (b"|" in spec.name) is within and is_supported(spec))


def summary_of(spec: CommandSpec) -> str:
    """One line on what rproxy does with the command."""
    if spec.plan == Plan.KEYED and spec.find_keys is None and spec.first_key == 0:
        return "Forwarded to any shard."
    if spec.plan == Plan.UNSUPPORTED:
        return spec.refusal.removeprefix("ERR ") if spec.refusal else "A container of subcommands."
    return _SUMMARIES[Plan(spec.plan)]


def shown_name(spec: CommandSpec) -> bytes:
    """The name as clients see it: ``object|freq``."""
    return spec.name.lower()


def group_of(spec: CommandSpec) -> str:
    """The group of a command; that of a learned one is not told."""
    return _FACTS[spec.index][0] if spec.index < len(_FACTS) else "module"


def categories(spec: CommandSpec) -> list[str]:
    """The ACL categories of a command."""
    return categories_of(spec.name.decode(), group_of(spec), spec.flags, is_container=spec.subcommands is not None)


def info_of(spec: CommandSpec, catalog: Catalog) -> list[Value]:
    """COMMAND INFO's ten elements on one command."""
    subcommands = described((spec.subcommands or {}).values(), within=True)
    return [
        shown_name(spec),
        spec.arity,
        Distinct(flag for flag in FLAGS if flag in spec.flags),
        spec.first_key,
        spec.last_key,
        spec.key_step,
        Distinct(f"@{category}" for category in categories(spec)),
        Distinct(tip.encode() for tip in TIPS.get(spec.name, ())),
        Distinct(key_spec.value() for key_spec in catalog.key_specs.get(spec.name, ())),
        Distinct(info_of(subcommand, catalog) for subcommand in subcommands),
    ]


def docs_of(spec: CommandSpec) -> Value:
    """COMMAND DOCS's map on one command: what rproxy does with it, rather than what it does."""
    fields: dict[bytes, Value] = {b"summary": summary_of(spec).encode()}
    if spec.index < len(_FACTS):
        fields[b"since"] = _FACTS[spec.index][1].encode()
    fields[b"group"] = group_of(spec).encode()
    if spec.subcommands:
        subcommands = described(spec.subcommands.values(), within=True)
        fields[b"subcommands"] = {shown_name(each): docs_of(each) for each in subcommands}
    return fields
