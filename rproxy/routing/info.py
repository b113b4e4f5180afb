"""INFO of several primaries as the INFO of one server: parsing, merging, and the text.

A section is a mapping of fields in their order; numbers that count or measure are summed, and for all others a table
says what the truth about the whole is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

Section = dict[str, str]
Merge = Callable[[Sequence[str]], str]

# fmt: off
DEFAULT = (
    "server", "clients", "memory", "persistence", "stats", "replication", "cpu", "modules", "errorstats", "cluster",
    "keyspace",
)
ALL = (
    "server", "clients", "memory", "persistence", "stats", "replication", "cpu", "modules", "commandstats",
    "errorstats", "latencystats", "cluster", "keyspace",
)
# fmt: on
"""The sections in Redis's order: those of INFO alone, and all."""
_UNITS = "KMGTP"
_TITLES = {"cpu": "CPU"}
_GROUPS = {"default": DEFAULT, "all": ALL, "everything": ALL, "module_list": ("modules",)}


def wanted_sections(arguments: Sequence[bytes]) -> list[str]:
    """The sections that the arguments of INFO name, in Redis's order; unknown ones are no error."""
    names = [argument.decode(errors="replace").lower() for argument in arguments] or ["default"]
    wanted = {section for name in names for section in _GROUPS.get(name, (name,))}
    return [section for section in ALL if section in wanted]


def text_of(sections: Mapping[str, Section]) -> str:
    """The sections as INFO writes them."""
    return "\r\n".join(
        f"# {_TITLES.get(name, name.capitalize())}\r\n" + "".join(f"{key}:{value}\r\n" for key, value in fields.items())
        for name, fields in sections.items()
    )


def parse(text: str) -> dict[str, Section]:
    """The sections of an INFO by their names in lower case."""
    sections: dict[str, Section] = {}
    current: Section = {}
    for line in text.splitlines():
        if line.startswith("# "):
            current = sections.setdefault(line[2:].strip().lower(), {})
        elif ":" in line:
            key, _, value = line.partition(":")
            current[key] = value
    return sections


def merge(name: str, sections: Sequence[Section]) -> Section:
    """One section of several nodes."""
    if name == "keyspace":
        return _keyspace(sections)
    if name == "errorstats":
        return {key: _counts(values) for key, values in _columns(sections)}
    merged = {key: _merged(key, values) for key, values in _columns(sections)}
    for key in merged:
        if key.endswith("_human") and key.removesuffix("_human") in merged:
            merged[key] = human(int(merged[key.removesuffix("_human")]))
    for key, (part, whole, form) in _RATIOS.items():
        if {key, part, *whole} <= merged.keys():
            merged[key] = form.format(_ratio(merged, part, whole))
    return merged


def human(size: int) -> str:
    """Bytes as Redis's ``bytesToHuman`` writes them."""
    if size < 1024:
        return f"{size}B"
    power = min((size.bit_length() - 1) // 10, len(_UNITS))
    return f"{size / 1024**power:.2f}{_UNITS[power - 1]}"


def _columns(sections: Iterable[Section]) -> list[tuple[str, list[str]]]:
    """The values of each field over all sections that have it."""
    rows = list(sections)
    keys = dict.fromkeys(key for row in rows for key in row)
    return [(key, [row[key] for row in rows if key in row]) for key in keys]


# -- how a field of several nodes becomes one


def _sum(values: Sequence[str]) -> str:
    """Sums of whole numbers, or of those with two places; of what is no number, the first."""
    try:
        return str(sum(map(int, values)))
    except ValueError:
        pass
    try:
        return f"{sum(map(float, values)):.2f}"
    except ValueError:
        return values[0]


def _most(values: Sequence[str]) -> str:
    return max(values, key=float)


def _least(values: Sequence[str]) -> str:
    return min(values, key=float)


def _worst(values: Sequence[str]) -> str:
    """``ok`` if all are."""
    return next((value for value in values if value != "ok"), "ok")


def _merged(key: str, values: Sequence[str]) -> str:
    try:
        return _RULES.get(key, _sum)(values)
    except ValueError:
        return values[0]


_RULES: dict[str, Merge] = {
    **dict.fromkeys(("rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status"), _worst),
    **dict.fromkeys(("rdb_last_save_time",), _least),
    **dict.fromkeys(
        (
            "active_defrag_running",
            "aof_current_rewrite_time_sec",
            "aof_enabled",
            "aof_last_rewrite_time_sec",
            "aof_rewrite_in_progress",
            "aof_rewrite_scheduled",
            "async_loading",
            "current_active_defrag_time",
            "current_cow_size_age",
            "current_eviction_exceeded_time",
            "current_fork_perc",
            "expired_stale_perc",
            "latest_fork_usec",
            "loading",
            "module_fork_in_progress",
            "number_of_cached_scripts",
            "number_of_functions",
            "number_of_libraries",
            "rdb_bgsave_in_progress",
            "rdb_current_bgsave_time_sec",
            "rdb_last_bgsave_time_sec",
            "total_system_memory",
        ),
        _most,
    ),
}
"""Fields that are not summed: states and durations are those of the node that is furthest; scripts are on all nodes."""

_RATIOS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "used_memory_peak_perc": ("used_memory", ("used_memory_peak",), "{:.2%}"),
    "used_memory_dataset_perc": ("used_memory_dataset", ("used_memory", "used_memory_startup"), "{:.2%}"),
    "allocator_frag_ratio": ("allocator_active", ("allocator_allocated",), "{:.2f}"),
    "allocator_rss_ratio": ("allocator_resident", ("allocator_active",), "{:.2f}"),
    "rss_overhead_ratio": ("used_memory_rss", ("allocator_resident",), "{:.2f}"),
    "mem_fragmentation_ratio": ("used_memory_rss", ("used_memory",), "{:.2f}"),
}
"""Fields that are a part divided by a whole, from which a second field may have to be taken off."""


def _ratio(merged: Section, part: str, whole: Sequence[str]) -> float:
    first, *less = (int(merged[key]) for key in whole)
    divisor = first - sum(less)
    return int(merged[part]) / divisor if divisor else 0.0


# -- fields that hold several numbers: ``keys=1,expires=0``


def numbers_of(value: str) -> dict[str, int]:
    """The whole numbers in a value like ``keys=1,expires=0``; others are left out."""
    pairs = (pair.partition("=") for pair in value.split(","))
    return {key: int(number) for key, _, number in pairs if number.lstrip("-").isdigit()}


def _counts(values: Sequence[str]) -> str:
    """Numbers of the same names, summed."""
    total: dict[str, int] = {}
    for value in values:
        for key, number in numbers_of(value).items():
            total[key] = total.get(key, 0) + number
    return ",".join(f"{key}={number}" for key, number in total.items())


def _keyspace(sections: Sequence[Section]) -> Section:
    """The only database that clients see: its keys, and their mean time to live weighed by how many have one."""
    values = [section["db0"] for section in sections if "db0" in section]
    if not values:
        return {}
    shards = [numbers_of(value) for value in values]
    total = numbers_of(_counts(values))
    weights = sum(shard.get("avg_ttl", 0) * shard.get("expires", 0) for shard in shards)
    expiring = total.get("expires", 0)
    if "avg_ttl" in total:
        total["avg_ttl"] = weights // expiring if expiring else 0
    return {"db0": ",".join(f"{key}={number}" for key, number in total.items())}
