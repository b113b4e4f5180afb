"""What is different between two configurations, and what of the old one stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from rproxy.config.models import ClusterConfig, Config, ListenerConfig


def kept_sockets(old: Config, new: Config) -> dict[str, str]:
    """By the name of each of ``new``'s listeners that takes over a socket, that of ``old``'s listener which had it."""
    had = {listener.address: listener.name for listener in old.listeners if not _is_any_port(listener)}
    names = {listener.name: listener for listener in old.listeners}
    kept: dict[str, str] = {}
    for listener in new.listeners:
        before = names.get(listener.name)
        if before is not None and before.address == listener.address:
            kept[listener.name] = listener.name
        elif listener.address in had:
            kept[listener.name] = had[listener.address]
    return kept


def kept_listeners(old: Config, new: Config) -> dict[str, str]:
    """By the name of each of ``new``'s listeners that has clients already, its name in ``old``: it may be renamed."""
    before = {listener.name for listener in old.listeners}
    after = {listener.name for listener in new.listeners}
    sockets = kept_sockets(old, new)
    kept = {name: name for name in after & before}
    return kept | {name: sockets[name] for name in after - before if name in sockets and sockets[name] not in after}


def _is_any_port(listener: ListenerConfig) -> bool:
    return not listener.address.is_unix and not listener.address.port


def changes(old: Config, new: Config) -> list[str]:
    """What is different, a few words each, in the order of the file; no values, since some are secret."""
    kept = kept_listeners(old, new)
    renamed = [
        listener.model_copy(update={"name": kept.get(listener.name, listener.name)}) for listener in new.listeners
    ]
    found = [f"{key} changed" for key in _different(old, new) if key not in ("listeners", "clusters")]
    found += _of_list("listener", old.listeners, renamed)
    found += [f"listener {before} is called {after} now" for after, before in kept.items() if after != before]
    return [*found, *_of_list("cluster", old.clusters, new.clusters)]


Named = Sequence[ListenerConfig] | Sequence[ClusterConfig]


def _of_list(what: str, old: Named, new: Named) -> Iterator[str]:
    before, after = ({each.name: each for each in listing} for listing in (old, new))
    yield from (f"{what} {name} added" for name in after if name not in before)
    yield from (f"{what} {name} removed" for name in before if name not in after)
    for name in after:
        if name in before and before[name] != after[name]:
            yield f"{what} {name}: {', '.join(_different(before[name], after[name]))} changed"


def _different(old: BaseModel, new: BaseModel) -> list[str]:
    """The keys of a section that have other values."""
    return [key for key in type(old).model_fields if getattr(old, key) != getattr(new, key)]
