"""What the nodes of a cluster say of themselves that rproxy repeats to its clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rproxy.resp.decode import as_map
from rproxy.resp.encode import Value

_VERSIONS = ("redis_version", "server_name", "valkey_version", "valkey_release_stage")
"""The fields of INFO that say which server it is; the last three are Valkey's."""
_FALLBACK = {"redis_version": "7.0.15"}


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """``versions`` are fields of INFO's server section; ``modules`` are as MODULE LIST and HELLO show them."""

    versions: Mapping[str, str] = field(default_factory=lambda: dict(_FALLBACK))
    modules: Sequence[Value] = ()

    @property
    def name(self) -> str:
        """The server as HELLO calls it."""
        return self.versions.get("server_name", "redis")

    @property
    def version(self) -> str:
        """Its release as HELLO tells it."""
        return self.versions.get(f"{self.name}_version", self.versions["redis_version"])


def facts_of(info: Any, modules: Any) -> ServerFacts:
    """The facts in a node's answers to ``INFO server`` and ``MODULE LIST``; what it refused to say has a fallback."""
    text = info.decode(errors="replace") if isinstance(info, bytes) else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    versions = {name: fields[name] for name in _VERSIONS if name in fields}
    return ServerFacts({**_FALLBACK, **versions}, _modules(modules))


def _modules(answer: Any) -> list[Value]:
    try:
        return [as_map(module) for module in answer]
    except (TypeError, ValueError):
        return []
