"""INFO: rproxy's own sections, and those of all primaries merged, as of one server."""

from __future__ import annotations

from collections.abc import Callable

from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.own_info import OWN, own_stats
from rproxy.dispatch.own_metrics import OwnMetrics, ask_metrics
from rproxy.dispatch.parts import Parts, ask_primary, shards_of
from rproxy.resp import encode
from rproxy.resp.decode import as_map, decode
from rproxy.resp.encode import Text
from rproxy.routing.info import Section, merge, parse, text_of, wanted_sections

_OF_NODES = ("memory", "persistence", "stats", "errorstats", "keyspace")
"""The sections that are merged from those of all primaries."""
_QUESTION = encode.command([b"INFO"])


def info(command: Command, context: Context) -> bytes | None:
    """INFO [section ...]: a report, so it is given whatever shards are up, and says how many did not take part."""
    ask_metrics(context, lambda metrics: _ask_nodes(command, context, metrics))
    return None


def _ask_nodes(command: Command, context: Context, metrics: OwnMetrics) -> None:
    wanted = wanted_sections(command.args[1:])
    targets = [(cluster, slot) for cluster, slot in shards_of(context) if not cluster.is_down(slot)]

    def finish(replies: list[bytes]) -> None:
        command.reply(_report(command, context, metrics, wanted, replies))

    if not targets or not set(wanted) & set(_OF_NODES):
        finish([])
        return
    parts = Parts(len(targets), finish)
    for index, target in enumerate(targets):
        ask_primary(command, _QUESTION, parts, index, target)


def _report(command: Command, context: Context, metrics: OwnMetrics, wanted: list[str], replies: list[bytes]) -> bytes:
    texts = [text for text in map(decode, replies) if isinstance(text, bytes)]
    nodes = [parse(text.decode(errors="replace")) for text in texts]
    sections: dict[str, Section] = {}
    for name in wanted:
        if name in OWN:
            sections[name] = OWN[name](command, context, metrics)
        elif name == "modules":
            sections[name] = _modules(context)
        else:
            sections[name] = merge(name, [node[name] for node in nodes if name in node])
    if "stats" in sections:
        sections["stats"] = {**own_stats(metrics), **sections["stats"], **own_stats(metrics)}
    if "server" in sections:
        shards = len(shards_of(context))
        silent = shards - len(nodes) if replies else 0
        sections["server"] |= {"rproxy_shards": str(shards), "rproxy_shards_silent": str(silent)}
    return encode.reply(Text(text_of(sections).encode()), command.session.protocol)


def _modules(context: Context) -> Section:
    """The modules of the nodes; of several, Redis repeats the key, so the section has it once with all of them."""
    lines = []
    for module in context.server.modules:
        facts = as_map(module)
        name, version = facts.get(b"name", b"").decode(errors="replace"), facts.get(b"ver", 0)
        lines.append(f"name={name},ver={version},api=1,filters=0,usedby=[],using=[],options=[]")
    return {"module": "\r\nmodule:".join(lines)} if lines else {}


HANDLERS: dict[bytes, Callable[[Command, Context], bytes | None]] = {b"INFO": info}
