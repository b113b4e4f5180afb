"""The command tips that ``COMMAND INFO`` shows of Redis 7.0's and later commands.

https://redis.io/docs/latest/develop/reference/command-tips/. They are those of a server, for clients that compare; what
rproxy itself does with a command stands in the command table.
"""

from __future__ import annotations

# fmt: off
_COMMANDS = {
    "nondeterministic_output":
        "CLIENT|INFO CLIENT|LIST CLUSTER|BUMPEPOCH CLUSTER|COUNT-FAILURE-REPORTS CLUSTER|GETKEYSINSLOT "
        "CLUSTER|INFO CLUSTER|LINKS CLUSTER|MYSHARDID CLUSTER|NODES CLUSTER|REPLICAS CLUSTER|SHARDS CLUSTER|SLAVES "
        "CLUSTER|SLOTS DUMP HPTTL HRANDFIELD HSCAN HTTL LASTSAVE MIGRATE OBJECT|ENCODING OBJECT|FREQ "
        "OBJECT|IDLETIME OBJECT|REFCOUNT PTTL SPOP SRANDMEMBER SSCAN TIME TTL XADD XAUTOCLAIM XCLAIM "
        "XINFO|CONSUMERS XPENDING XTRIM ZRANDMEMBER ZSCAN",
    "nondeterministic_output_order":
        "COMMAND COMMAND|DOCS COMMAND|INFO COMMAND|LIST FUNCTION|LIST HGETALL HKEYS HVALS MODULE|LIST SDIFF SINTER "
        "SMEMBERS SUNION",
    "request_policy:all_shards response_policy:all_succeeded":
        "FLUSHALL FLUSHDB FUNCTION|DELETE FUNCTION|FLUSH FUNCTION|LOAD FUNCTION|RESTORE MEMORY|PURGE PING",
    "request_policy:all_nodes response_policy:all_succeeded":
        "CLIENT|SETINFO CONFIG|SET LATENCY|RESET SCRIPT|FLUSH SCRIPT|LOAD SLOWLOG|RESET",
    "nondeterministic_output request_policy:all_nodes response_policy:special":
        "LATENCY|DOCTOR LATENCY|GRAPH LATENCY|HISTOGRAM LATENCY|HISTORY LATENCY|LATEST",
    "nondeterministic_output request_policy:all_shards response_policy:special":
        "FUNCTION|STATS INFO MEMORY|DOCTOR MEMORY|MALLOC-STATS MEMORY|STATS",
    "request_policy:all_shards response_policy:one_succeeded": "FUNCTION|KILL SCRIPT|KILL",
    "request_policy:multi_shard response_policy:agg_sum": "DEL EXISTS TOUCH UNLINK",
    "request_policy:all_shards response_policy:agg_logical_and": "SCRIPT|EXISTS",
    "request_policy:all_shards response_policy:agg_min": "WAIT WAITAOF",
    "request_policy:all_nodes nondeterministic_output": "SLOWLOG|GET",
    "request_policy:all_nodes response_policy:agg_sum nondeterministic_output": "SLOWLOG|LEN",
    "request_policy:all_shards nondeterministic_output": "RANDOMKEY",
    "request_policy:all_shards response_policy:agg_sum": "DBSIZE",
    "request_policy:multi_shard response_policy:agg_min": "MSETNX",
    "nondeterministic_output request_policy:special": "SCAN",
    "request_policy:all_shards nondeterministic_output_order": "KEYS",
    "request_policy:multi_shard": "MGET",
    "request_policy:multi_shard response_policy:all_succeeded": "MSET",
}
"""Commands by their tips."""
# fmt: on

TIPS = {name.encode(): tuple(tips.split()) for tips, names in _COMMANDS.items() for name in names.split()}
"""The tips of a command, by its name."""
