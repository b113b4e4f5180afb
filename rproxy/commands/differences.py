"""What differs from a single Redis server, by command: for ``docs/commands.md``, where rows do not say it already."""

from __future__ import annotations

_OWN_CONNECTION = "While it waits, the client has a connection of its own, from a bounded number. It is not mirrored."
_ONE_NODE_CLUSTER = "Describes rproxy as a cluster of one node, at the address the client used or `cluster_announce`."
_NO_EFFECT = "Changes nothing: the read policy says who answers reads."
_ALL_PRIMARIES = "What all primaries say, merged."
_CLIENTS_COUNT = (
    "Counts the clients of all workers; other proxies as one each, where they listen. Who has asked for a message "
    "before, at the same worker, gets it."
)
_ALL_ASKED = (
    "Every node is asked, and every worker for its clients; other proxies count as one each, where they listen."
)
_SHARED = (
    "Clients of a worker share one subscription upstream, made anew after a loss; what is said in the gap is missed."
)
_RULES_AS_GIVEN = "Rules on commands are shown as they were given, where Redis 7.0 words them anew."
_MAY_BE_PARTIAL = "With `fan_out_partial`, without the shards that are down."

DIFFERENCES = {
    "ACL|GETUSER": _RULES_AS_GIVEN,
    "ACL|LIST": _RULES_AS_GIVEN,
    "ASKING": "Changes nothing: rproxy follows redirections itself.",
    "BGSAVE": "Every primary saves.",
    "BLMOVE": _OWN_CONNECTION,
    "BLMPOP": _OWN_CONNECTION,
    "BLPOP": _OWN_CONNECTION,
    "BRPOP": _OWN_CONNECTION,
    "BRPOPLPUSH": _OWN_CONNECTION,
    "BZMPOP": _OWN_CONNECTION,
    "BZPOPMAX": _OWN_CONNECTION,
    "BZPOPMIN": _OWN_CONNECTION,
    "CLUSTER|COUNT-FAILURE-REPORTS": "The one node has none.",
    "CLUSTER|COUNTKEYSINSLOT": "Asked of the slot's shard.",
    "CLUSTER|GETKEYSINSLOT": "Asked of the slot's shard.",
    "CLUSTER|INFO": _ONE_NODE_CLUSTER,
    "CLUSTER|LINKS": "The one node has none.",
    "CLUSTER|MYID": _ONE_NODE_CLUSTER,
    "CLUSTER|MYSHARDID": _ONE_NODE_CLUSTER,
    "CLUSTER|NODES": _ONE_NODE_CLUSTER,
    "CLUSTER|REPLICAS": "The one node has none.",
    "CLUSTER|SHARDS": _ONE_NODE_CLUSTER,
    "CLUSTER|SLAVES": "The one node has none.",
    "CLUSTER|SLOTS": _ONE_NODE_CLUSTER,
    "COMMAND": "Lists what rproxy supports, and what its nodes have beyond the table.",
    "COMMAND|COUNT": "As COMMAND.",
    "COMMAND|DOCS": "A node's, of what rproxy supports; rproxy's own, and short, where no node gives any.",
    "COMMAND|GETKEYSANDFLAGS": "As Redis 7.0.",
    "COMMAND|INFO": "As COMMAND; `null` for what is refused.",
    "COMMAND|LIST": "As COMMAND; FILTERBY MODULE goes by the prefix of the names.",
    "CONFIG|GET": "rproxy's own where it has one (`timeout`...), else what the first shard has; never passwords.",
    "CONFIG|RESETSTAT": "On all nodes, and for INFO; metrics count on.",
    "CONFIG|SET": "On all nodes; what is rproxy's own, in all workers.",
    "DBSIZE": _MAY_BE_PARTIAL,
    "EVALSHA": (
        "Sent as EVAL to a shard that lacks the script, and always in a transaction, if rproxy has seen its body "
        "(up to 16 MiB a worker)."
    ),
    "EVALSHA_RO": "As EVALSHA.",
    "EXEC": (
        "One slot per transaction; another slot is a `CROSSSLOT` error at queue time, and what concerns every shard "
        "(`DBSIZE`, `KEYS`, `FLUSHALL` …) is refused then too."
    ),
    "FUNCTION|KILL": "Wherever a function runs, on a connection of its own.",
    "HELLO": "The id is that of the client at rproxy.",
    "INFO": (
        "rproxy's server, clients and statistics of commands; memory, stats, persistence and keyspace of all primaries "
        "that are up, summed."
    ),
    "KEYS": f"Made of scans, so that no node is held up; bounded by `keys_reply_limit`. {_MAY_BE_PARTIAL}",
    "LASTSAVE": _ALL_PRIMARIES,
    "LATENCY|HISTOGRAM": "rproxy's own: from sending a command to its reply.",
    "MEMORY|STATS": _ALL_PRIMARIES,
    "MONITOR": "Shows the commands of rproxy's clients, at all workers; not those that a script calls.",
    "PING": "Says that rproxy is there, whatever its nodes do.",
    "PSUBSCRIBE": f"{_SHARED} Not inside a transaction.",
    "PUBLISH": f"A worker publishes at the node it listens to. {_CLIENTS_COUNT}",
    "PUBSUB|CHANNELS": f"{_ALL_ASKED} {_MAY_BE_PARTIAL}",
    "PUBSUB|NUMPAT": f"{_ALL_ASKED} A pattern of others counts once at every node. {_MAY_BE_PARTIAL}",
    "PUBSUB|NUMSUB": f"{_ALL_ASKED} {_MAY_BE_PARTIAL}",
    "PUBSUB|SHARDCHANNELS": f"{_ALL_ASKED} {_MAY_BE_PARTIAL}",
    "PUBSUB|SHARDNUMSUB": f"{_ALL_ASKED} {_MAY_BE_PARTIAL}",
    "PUNSUBSCRIBE": "Not inside a transaction.",
    "RANDOMKEY": "A shard is drawn by its size.",
    "READONLY": _NO_EFFECT,
    "READWRITE": _NO_EFFECT,
    "ROLE": "A primary without replicas.",
    "SCAN": (
        "The cursor carries the shard. A key that stays where it is while slots move and replicas take over is not "
        f"missed. {_MAY_BE_PARTIAL}"
    ),
    "SCRIPT|EXISTS": "1 if all shards have it, or rproxy remembers it, so that EVALSHA works.",
    "SCRIPT|KILL": "Wherever a script runs, on a connection of its own.",
    "SELECT": "Database 0 alone.",
    "SLOWLOG|GET": "rproxy's own, of all workers: from sending a command to its reply; at most one a millisecond.",
    "SPUBLISH": _CLIENTS_COUNT,
    "SSUBSCRIBE": f"{_SHARED} Channels of several slots at once. Not inside a transaction.",
    "SUBSCRIBE": f"{_SHARED} Keyspace notifications come from all primaries. Not inside a transaction.",
    "SUNSUBSCRIBE": "Not inside a transaction.",
    "TIME": "The proxy's clock.",
    "UNSUBSCRIBE": "Not inside a transaction.",
    "WAIT": (
        "The least count of all shards, for all writes up to now: connections are shared, so those of other clients "
        "count too. On connections of its own."
    ),
    "WAITAOF": "As WAIT.",
    "WATCH": "Keys of one slot. A slot that moves and a node that is lost count as a change.",
    "XREAD": f"Streams of several slots are asked for side by side, unless with BLOCK. {_OWN_CONNECTION}",
    "XREADGROUP": _OWN_CONNECTION,
}
"""A few sentences each, by name in the table."""
