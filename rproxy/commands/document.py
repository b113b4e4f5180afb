"""``docs/commands.md``: every command, how it is routed, and what differs from a single Redis server.

``python -m rproxy.commands.document`` prints it.
"""

from __future__ import annotations

import sys

from rproxy.commands.differences import DIFFERENCES
from rproxy.commands.info import group_of
from rproxy.commands.lookup import SPECS
from rproxy.commands.spec import CommandSpec, Plan, RequestPolicy
from rproxy.commands.table import GROUPS

_DOCUMENT = """\
# Commands

<!-- Made by `python -m rproxy.commands.document > docs/commands.md`; a test keeps it up to date. -->

Every command that rproxy knows, by group. What a node has beyond them, a module's commands or those of a newer server,
is learned from its `COMMAND` and forwarded by the keys that it tells; `COMMAND LIST` shows what rproxy executes now.

*Routed* says where a command goes:

- **one key**: to the shard of its key, whatever the server makes of it.
- **keys**: to the shard of its keys. They have to share a slot, else the error is `CROSSSLOT`, as in Redis Cluster; a
  hash tag (`{{tag}}`) puts keys into one slot. Without keys (a script) any shard will do.
  While their slot moves, such a command waits for the last of its keys; what the same client pipelined behind it may
  be executed before it, if it is about a key that is still there.
- **split**: cut by slot where its keys do not share one, and the replies put together. It is atomic for each slot.
- **any shard**: to the primary of a shard that is drawn.
- **all shards**, **all nodes**: to every primary, or to every node, and the replies become one. It does not happen at
  one moment.
- **rproxy**: answered without asking a node.
- **refused**: an error says why; the last column has it in short.

*Access* is what read policies and mirrors go by: a *read* may be answered by a replica, a *write* goes to a primary and
is what mirrors copy, *admin* asks or changes a node itself, and *local* concerns the client's connection.
{groups}"""

_GROUP = """
## {title}

| command | since | routed | access | what differs from a single server |
|---|---|---|---|---|
{rows}
"""


def document() -> str:
    """``docs/commands.md``."""
    shown = [spec for spec in SPECS if spec.subcommands is None or spec.plan != Plan.UNSUPPORTED]
    groups = (_group(group, [spec for spec in shown if group_of(spec) == group]) for group in GROUPS)
    return _DOCUMENT.format(groups="".join(groups))


def _group(group: str, specs: list[CommandSpec]) -> str:
    title = group.replace("-", " ").replace("_", " ").capitalize()
    return _GROUP.format(title=title, rows="\n".join(map(_row, specs)))


def _row(spec: CommandSpec) -> str:
    name = spec.name.decode()
    since = next(row.since for rows in GROUPS.values() for row in rows if row.name == name)
    difference = _refusal(spec) if spec.plan == Plan.UNSUPPORTED else DIFFERENCES.get(name, "")
    return f"| `{name.replace('|', ' ')}` | {since} | {_routed(spec)} | {spec.access.value} | {difference} |"


def _routed(spec: CommandSpec) -> str:
    if spec.plan == Plan.FAN_OUT:
        return "all nodes" if spec.request_policy is RequestPolicy.ALL_NODES else "all shards"
    if spec.plan == Plan.KEYED and spec.find_keys is None and spec.first_key == 0:
        return "any shard"
    return _ROUTED[Plan(spec.plan)]


_ROUTED = {
    Plan.PLAIN: "one key",
    Plan.KEYED: "keys",
    Plan.SPLIT: "split",
    Plan.LOCAL: "rproxy",
    Plan.UNSUPPORTED: "refused",
}


def _refusal(spec: CommandSpec) -> str:
    """Why it is refused: what the error says behind the command's name."""
    reason = (spec.refusal or "").partition(" is not ")[2].replace("available through rproxy: ", "")
    return f"{reason.replace('supported by rproxy yet', 'not supported yet')}."


if __name__ == "__main__":
    sys.stdout.write(document())
