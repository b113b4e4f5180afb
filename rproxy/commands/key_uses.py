"""What commands do with their keys: the key specifications that ``COMMAND INFO`` shows, of Redis 7.0 and later.

Where a command has one specification at fixed positions, its row of the command table says where.
"""

from __future__ import annotations

from rproxy.commands.key_spec import KeySpec, in_range, parse
from rproxy.commands.lookup import SPECS

# fmt: off
_USES = {
    "RO access":
        "BITCOUNT BITFIELD_RO BITPOS DIGEST DUMP EXPIRETIME GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO "
        "GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXPIRETIME HGET HGETALL HKEYS HMGET HPEXPIRETIME HPTTL "
        "HRANDFIELD HSCAN HTTL HVALS LCS LINDEX LPOS LRANGE MGET PEXPIRETIME PTTL SDIFF SINTER SMEMBERS SMISMEMBER "
        "SRANDMEMBER SSCAN SUBSTR SUNION TTL VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VRANGE "
        "VSIM XINFO|CONSUMERS XINFO|GROUPS XINFO|STREAM XPENDING XRANGE XREVRANGE ZCOUNT ZLEXCOUNT ZMSCORE "
        "ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK "
        "ZSCAN ZSCORE",
    "RW update":
        "EXPIRE EXPIREAT GEOADD HEXPIRE HEXPIREAT HMSET HPERSIST HPEXPIRE HPEXPIREAT HSET HSETEX LSET PERSIST "
        "PEXPIRE PEXPIREAT SETRANGE VADD VSETATTR XACK XADD XCLAIM XGROUP|SETID XSETID ZADD",
    "RO":
        "EXISTS HEXISTS HLEN HSTRLEN LLEN MEMORY|USAGE OBJECT|ENCODING OBJECT|FREQ OBJECT|IDLETIME OBJECT|REFCOUNT "
        "SCARD SISMEMBER STRLEN TOUCH TYPE WATCH XLEN ZCARD",
    "RW delete":
        "HDEL LREM LTRIM SREM VREM XACKDEL XAUTOCLAIM XDEL XDELEX XGROUP|DELCONSUMER XGROUP|DESTROY XTRIM ZREM "
        "ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE",
    "RW access update":
        "DECR DECRBY GETEX GETSET HGETEX HINCRBY HINCRBYFLOAT INCR INCRBY INCRBYFLOAT MOVE SETBIT ZINCRBY",
    "RW insert": "APPEND HSETNX LINSERT LPUSH LPUSHX PFADD RPUSH RPUSHX SADD XGROUP|CREATE XGROUP|CREATECONSUMER",
    "RW access delete": "BLPOP BRPOP BZPOPMAX BZPOPMIN GETDEL HGETDEL LPOP RPOP SPOP ZPOPMAX ZPOPMIN",
    "OW update": "MSET PSETEX RESTORE RESTORE-ASKING SETEX",
    "not_key": "SPUBLISH SSUBSCRIBE SUNSUBSCRIBE",
    "RM delete": "DEL DELEX DELIFEQ UNLINK",
    "RW access": "PFCOUNT PFDEBUG",
    "OW insert": "MSETNX SETNX",
    "RW access update variable_flags": "BITFIELD SET",
    "RO access @1#": "SINTERCARD ZDIFF ZINTER ZINTERCARD ZUNION",
    "RW access delete @1; RW insert @2": "BLMOVE BRPOPLPUSH LMOVE RPOPLPUSH SMOVE",
    "OW update @1; RO access @2#": "ZDIFFSTORE ZINTERSTORE ZUNIONSTORE",
    "RO access @2#": "EVALSHA_RO EVAL_RO FCALL_RO",
    "OW update @1; RO access @2": "GEOSEARCHSTORE ZRANGESTORE",
    "OW update @1; RO access @2..-1": "SDIFFSTORE SUNIONSTORE",
    "RW access update @2#": "EVAL EVALSHA FCALL",
    "RO access @1; OW update @STORE:5; OW update @STOREDIST:5": "GEORADIUSBYMEMBER",
    "RW access delete @2#": "BLMPOP BZMPOP",
    "RW access delete @1#": "LMPOP ZMPOP",
    "RW update @1; RO access @2..-1": "SINTERSTORE",
    "RO access @STREAMS:4..-1%2": "XREADGROUP",
    "RO access @1; OW update @STORE:6; OW update @STOREDIST:6": "GEORADIUS",
    "RW access delete @1; OW insert @2": "RENAMENX",
    "RO access @1; RO access @?": "SORT_RO",
    "RW access delete @3; RW access delete incomplete @KEYS:-2..-1": "MIGRATE",
    "RW access insert @1; RO access @2..-1": "PFMERGE",
    "OW update @1/2#": "MSETEX",
    "RW access delete @1; OW update @2": "RENAME",
    "OW update @2; RO access @3..-1": "BITOP",
    "RO access @STREAMS:1..-1%2": "XREAD",
    "RO access @1; OW update @2": "COPY",
    "RO access @1; RO access @?; OW update @?": "SORT",
}
"""Commands by their specifications: several stand between semicolons, and without a place it is the row's."""
# fmt: on

_WORST_READ = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"
_WORST_WRITE = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"
_PATTERNS = (
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key "
    "we sort"
)
_NOTES = {
    "BITFIELD": ("This command allows both access and modification of the key",),
    "EVAL": (_WORST_WRITE,),
    "EVAL_RO": (_WORST_READ,),
    "FCALL": (_WORST_WRITE,),
    "FCALL_RO": (_WORST_READ,),
    "GETEX": ("RW and UPDATE because it changes the TTL",),
    "HGETEX": ("RW and UPDATE because it changes the TTL",),
    "PFCOUNT": ("RW because it may change the internal representation of the key, and propagate to replicas",),
    "SET": ("RW and ACCESS due to the optional `GET` argument",),
    "SORT": (
        "",
        _PATTERNS,
        "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the "
        "argument array",
    ),
    "SORT_RO": ("", _PATTERNS),
    "XADD": ("UPDATE instead of INSERT because of the optional trimming feature",),
}
"""The notes on a command's specifications, in their order."""


def _compiled() -> dict[bytes, tuple[KeySpec, ...]]:
    rows = {spec.name.decode(): spec for spec in SPECS}
    found: dict[bytes, tuple[KeySpec, ...]] = {}
    for uses, names in _USES.items():
        for name in names.split():
            row, notes = rows[name], (*_NOTES.get(name, ()), "", "", "")
            found[name.encode()] = tuple(
                parse(use, note)
                if "@" in use
                else in_range(use.split(), row.first_key, row.last_key, row.key_step, note)
                for use, note in zip(uses.split("; "), notes, strict=False)
            )
    return found


KEY_SPECS = _compiled()
"""The key specifications of the table's commands, by name."""
