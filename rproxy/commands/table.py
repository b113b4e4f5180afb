"""The command table: what every command is to rproxy, one row each.

Arity, key positions, flags and the two policies are facts of Redis 7.0, checked in the tests against the ``COMMAND``
reply of a live server; where a later release takes more arguments, the arity is its. Access and plan are judgements:

- *access*: a READ may be answered by a replica; a WRITE goes to a primary and is what mirrors copy; ADMIN asks or
  changes a node itself; LOCAL concerns the client's connection. EVAL and FCALL are writes, since nobody can tell; so are
  PUBLISH and SCRIPT LOAD, which change what other clients meet.
- *plan*: what becomes of the command, or the refusal that answers it.

``COMMAND`` flags reads ``readonly`` and writes ``write``; the flags column holds the other flags, and ``-write`` or
``-readonly`` where Redis does not flag what the access says.
"""

# A row is one line, whatever its length.
# ruff: noqa: E501

from __future__ import annotations

from typing import NamedTuple

from rproxy.commands.keys import channel, counted, migrate, radius, sort, streams
from rproxy.commands.spec import Access, KeyFinder, Plan, RequestPolicy, ResponsePolicy, Transaction


class Keys(NamedTuple):
    """Where the keys stand: ``COMMAND``'s first, last and step, and a finder where they move."""

    first: int = 0
    last: int = 0
    step: int = 0
    find: KeyFinder | None = None


class Row(NamedTuple):
    """A row. ``plan`` is a plan or a refusal, in which ``{}`` stands for the command; subcommands are ``OBJECT|FREQ``."""

    name: str
    since: str
    arity: int
    access: Access
    plan: Plan | str
    keys: Keys
    flags: str = ""
    request: RequestPolicy = RequestPolicy.ONE
    response: ResponsePolicy = ResponsePolicy.FIRST
    transaction: Transaction = Transaction.QUEUE


READ, WRITE, ADMIN, LOCAL = Access.READ, Access.WRITE, Access.ADMIN, Access.LOCAL

PLAIN, KEYED, SPLIT, FAN_OUT, ANSWERED = Plan.PLAIN, Plan.KEYED, Plan.SPLIT, Plan.FAN_OUT, Plan.LOCAL
CONTAINER = Plan.UNSUPPORTED
"""The name of a container alone is no command."""
ONE_NODE = "ERR {} is not available through rproxy: it acts on one node"
CONFIGURED = "ERR {} is not available through rproxy: users are those of its configuration"
INTERNAL = "ERR {} is not available through rproxy: it follows redirections itself"
ONE_DATABASE = "ERR {} is not available through rproxy: a cluster has one database"

NONE = Keys()
FIRST = Keys(1, 1, 1)
CHANNEL = Keys(1, 1, 1, find=channel)
SECOND = Keys(2, 2, 1)
TWO = Keys(1, 2, 1)
ALL = Keys(1, -1, 1)
REST = Keys(2, -1, 1)
BUT_LAST = Keys(1, -2, 1)
PAIRS = Keys(1, -1, 2)
COUNTED = Keys(find=counted(1))
COUNTED_PAIRS = Keys(find=counted(1, step=2))
TIMED = Keys(find=counted(2))
STORED = Keys(1, 1, 1, find=counted(2, destination=1))
SCRIPT = Keys(find=counted(2, may_be_none=True))
STREAMS = Keys(find=streams)
SORT = Keys(1, 1, 1, find=sort)
RADIUS = Keys(1, 1, 1, find=radius)
MIGRATE = Keys(3, 3, 1, find=migrate)

GREETING = "noscript loading stale fast no_auth allow_busy"
STATE = "noscript loading stale fast allow_busy"
SCRIPTED = "noscript stale skip_monitor no_mandatory_keys movablekeys"

ALL_NODES, ALL_SHARDS, MULTI_SHARD = RequestPolicy.ALL_NODES, RequestPolicy.ALL_SHARDS, RequestPolicy.MULTI_SHARD
ALL_SUCCEEDED, ONE_SUCCEEDED = ResponsePolicy.ALL_SUCCEEDED, ResponsePolicy.ONE_SUCCEEDED
AGG_MIN, AGG_SUM, AGG_LOGICAL_AND = ResponsePolicy.AGG_MIN, ResponsePolicy.AGG_SUM, ResponsePolicy.AGG_LOGICAL_AND
CONCATENATE, SPECIAL = ResponsePolicy.CONCATENATE, ResponsePolicy.SPECIAL
CURSOR = RequestPolicy.SPECIAL
"""SCAN: the cursor says which shard is asked."""
IMMEDIATE, REFUSE = Transaction.IMMEDIATE, Transaction.REFUSE

# fmt: off
#              name               since    arity access plan      keys     flags      request      response   transaction
GROUPS: dict[str, tuple[Row, ...]] = {
    "generic": (
        Row("COPY",            "6.2.0",  -3, WRITE, KEYED,     TWO,     "denyoom"),
        Row("DEL",             "1.0.0",  -2, WRITE, SPLIT,     ALL,     "",     MULTI_SHARD, AGG_SUM),
        Row("DUMP",            "2.6.0",   2, READ,  PLAIN,     FIRST),
        Row("EXISTS",          "1.0.0",  -2, READ,  SPLIT,     ALL,     "fast", MULTI_SHARD, AGG_SUM),
        Row("EXPIRE",          "1.0.0",  -3, WRITE, PLAIN,     FIRST,   "fast"),
        Row("EXPIREAT",        "1.2.0",  -3, WRITE, PLAIN,     FIRST,   "fast"),
        Row("EXPIRETIME",      "7.0.0",   2, READ,  PLAIN,     FIRST,   "fast"),
        Row("KEYS",            "1.0.0",   2, READ,  FAN_OUT,   NONE,    "",     ALL_SHARDS, CONCATENATE),
        Row("MIGRATE",         "2.6.0",  -6, WRITE, KEYED,     MIGRATE, "movablekeys"),
        Row("MOVE",            "1.0.0",   3, WRITE, PLAIN,     FIRST,   "fast"),
        Row("OBJECT",          "2.2.3",  -2, ADMIN, CONTAINER, NONE),
        Row("OBJECT|ENCODING", "2.2.3",   3, READ,  PLAIN,     SECOND),
        Row("OBJECT|FREQ",     "4.0.0",   3, READ,  PLAIN,     SECOND),
        Row("OBJECT|HELP",     "6.2.0",   2, LOCAL, ANSWERED,  NONE,    "loading stale"),
        Row("OBJECT|IDLETIME", "2.2.3",   3, READ,  PLAIN,     SECOND),
        Row("OBJECT|REFCOUNT", "2.2.3",   3, READ,  PLAIN,     SECOND),
        Row("PERSIST",         "2.2.0",   2, WRITE, PLAIN,     FIRST,   "fast"),
        Row("PEXPIRE",         "2.6.0",  -3, WRITE, PLAIN,     FIRST,   "fast"),
        Row("PEXPIREAT",       "2.6.0",  -3, WRITE, PLAIN,     FIRST,   "fast"),
        Row("PEXPIRETIME",     "7.0.0",   2, READ,  PLAIN,     FIRST,   "fast"),
        Row("PTTL",            "2.6.0",   2, READ,  PLAIN,     FIRST,   "fast"),
        Row("RANDOMKEY",       "1.0.0",   1, READ,  FAN_OUT,   NONE,    "",     ALL_SHARDS, SPECIAL),
        Row("RENAME",          "1.0.0",   3, WRITE, KEYED,     TWO),
        Row("RENAMENX",        "1.0.0",   3, WRITE, KEYED,     TWO,     "fast"),
        Row("RESTORE",         "2.6.0",  -4, WRITE, PLAIN,     FIRST,   "denyoom"),
        Row("RESTORE-ASKING",  "3.0.0",  -4, WRITE, INTERNAL,  FIRST,   "denyoom asking"),
        Row("SCAN",            "2.8.0",  -2, READ,  FAN_OUT,   NONE,    "",     CURSOR, SPECIAL),
        Row("SORT",            "1.0.0",  -2, WRITE, KEYED,     SORT,    "denyoom movablekeys"),
        Row("SORT_RO",         "7.0.0",  -2, READ,  PLAIN,     FIRST,   "movablekeys"),
        Row("TOUCH",           "3.2.1",  -2, READ,  SPLIT,     ALL,     "fast", MULTI_SHARD, AGG_SUM),
        Row("TTL",             "1.0.0",   2, READ,  PLAIN,     FIRST,   "fast"),
        Row("TYPE",            "1.0.0",   2, READ,  PLAIN,     FIRST,   "fast"),
        Row("UNLINK",          "4.0.0",  -2, WRITE, SPLIT,     ALL,     "fast", MULTI_SHARD, AGG_SUM),
        Row("WAIT",            "3.0.0",   3, ADMIN, FAN_OUT,   NONE,    "noscript", ALL_SHARDS, AGG_MIN),
        Row("WAITAOF",         "7.2.0",   4, ADMIN, FAN_OUT,   NONE,    "blocking", ALL_SHARDS, AGG_MIN),
    ),
    "string": (
        Row("APPEND",      "2.0.0",   3, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("DECR",        "1.0.0",   2, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("DECRBY",      "1.0.0",   3, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("DELEX",       "8.4.0",  -2, WRITE, PLAIN, FIRST, "fast"),
        Row("DELIFEQ",     "9.0.0",   3, WRITE, PLAIN, FIRST, "fast"),
        Row("DIGEST",      "8.4.0",   2, READ,  PLAIN, FIRST, "fast"),
        Row("GET",         "1.0.0",   2, READ,  PLAIN, FIRST, "fast"),
        Row("GETDEL",      "6.2.0",   2, WRITE, PLAIN, FIRST, "fast"),
        Row("GETEX",       "6.2.0",  -2, WRITE, PLAIN, FIRST, "fast"),
        Row("GETRANGE",    "2.4.0",   4, READ,  PLAIN, FIRST),
        Row("GETSET",      "1.0.0",   3, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("INCR",        "1.0.0",   2, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("INCRBY",      "1.0.0",   3, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("INCRBYFLOAT", "2.6.0",   3, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("LCS",         "7.0.0",  -3, READ,  KEYED, TWO),
        Row("MGET",        "1.0.0",  -2, READ,  SPLIT, ALL,   "fast",    MULTI_SHARD, CONCATENATE),
        Row("MSET",        "1.0.1",  -3, WRITE, SPLIT, PAIRS, "denyoom", MULTI_SHARD, ALL_SUCCEEDED),
        Row("MSETEX",      "8.4.0",  -4, WRITE, KEYED, COUNTED_PAIRS, "denyoom movablekeys"),
        Row("MSETNX",      "1.0.1",  -3, WRITE, KEYED, PAIRS, "denyoom"),
        Row("PSETEX",      "2.6.0",   4, WRITE, PLAIN, FIRST, "denyoom"),
        Row("SET",         "1.0.0",  -3, WRITE, PLAIN, FIRST, "denyoom"),
        Row("SETEX",       "2.0.0",   4, WRITE, PLAIN, FIRST, "denyoom"),
        Row("SETNX",       "1.0.0",   3, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("SETRANGE",    "2.2.0",   4, WRITE, PLAIN, FIRST, "denyoom"),
        Row("STRLEN",      "2.2.0",   2, READ,  PLAIN, FIRST, "fast"),
        Row("SUBSTR",      "1.0.0",   4, READ,  PLAIN, FIRST),
    ),
    "list": (
        Row("BLMOVE",     "6.2.0",   6, WRITE, KEYED,   TWO,      "denyoom noscript blocking"),
        Row("BLMPOP",     "7.0.0",  -5, WRITE, KEYED,   TIMED,    "blocking movablekeys"),
        Row("BLPOP",      "2.0.0",  -3, WRITE, KEYED,   BUT_LAST, "noscript blocking"),
        Row("BRPOP",      "2.0.0",  -3, WRITE, KEYED,   BUT_LAST, "noscript blocking"),
        Row("BRPOPLPUSH", "2.2.0",   4, WRITE, KEYED,   TWO,      "denyoom noscript blocking"),
        Row("LINDEX",     "1.0.0",   3, READ,  PLAIN,   FIRST),
        Row("LINSERT",    "2.2.0",   5, WRITE, PLAIN,   FIRST,    "denyoom"),
        Row("LLEN",       "1.0.0",   2, READ,  PLAIN,   FIRST,    "fast"),
        Row("LMOVE",      "6.2.0",   5, WRITE, KEYED,   TWO,      "denyoom"),
        Row("LMPOP",      "7.0.0",  -4, WRITE, KEYED,   COUNTED,  "movablekeys"),
        Row("LPOP",       "1.0.0",  -2, WRITE, PLAIN,   FIRST,    "fast"),
        Row("LPOS",       "6.0.6",  -3, READ,  PLAIN,   FIRST),
        Row("LPUSH",      "1.0.0",  -3, WRITE, PLAIN,   FIRST,    "denyoom fast"),
        Row("LPUSHX",     "2.2.0",  -3, WRITE, PLAIN,   FIRST,    "denyoom fast"),
        Row("LRANGE",     "1.0.0",   4, READ,  PLAIN,   FIRST),
        Row("LREM",       "1.0.0",   4, WRITE, PLAIN,   FIRST),
        Row("LSET",       "1.0.0",   4, WRITE, PLAIN,   FIRST,    "denyoom"),
        Row("LTRIM",      "1.0.0",   4, WRITE, PLAIN,   FIRST),
        Row("RPOP",       "1.0.0",  -2, WRITE, PLAIN,   FIRST,    "fast"),
        Row("RPOPLPUSH",  "1.2.0",   3, WRITE, KEYED,   TWO,      "denyoom"),
        Row("RPUSH",      "1.0.0",  -3, WRITE, PLAIN,   FIRST,    "denyoom fast"),
        Row("RPUSHX",     "2.2.0",  -3, WRITE, PLAIN,   FIRST,    "denyoom fast"),
    ),
    "set": (
        Row("SADD",        "1.0.0",  -3, WRITE, PLAIN, FIRST,   "denyoom fast"),
        Row("SCARD",       "1.0.0",   2, READ,  PLAIN, FIRST,   "fast"),
        Row("SDIFF",       "1.0.0",  -2, READ,  KEYED, ALL),
        Row("SDIFFSTORE",  "1.0.0",  -3, WRITE, KEYED, ALL,     "denyoom"),
        Row("SINTER",      "1.0.0",  -2, READ,  KEYED, ALL),
        Row("SINTERCARD",  "7.0.0",  -3, READ,  KEYED, COUNTED, "movablekeys"),
        Row("SINTERSTORE", "1.0.0",  -3, WRITE, KEYED, ALL,     "denyoom"),
        Row("SISMEMBER",   "1.0.0",   3, READ,  PLAIN, FIRST,   "fast"),
        Row("SMEMBERS",    "1.0.0",   2, READ,  PLAIN, FIRST),
        Row("SMISMEMBER",  "6.2.0",  -3, READ,  PLAIN, FIRST,   "fast"),
        Row("SMOVE",       "1.0.0",   4, WRITE, KEYED, TWO,     "fast"),
        Row("SPOP",        "1.0.0",  -2, WRITE, PLAIN, FIRST,   "fast"),
        Row("SRANDMEMBER", "1.0.0",  -2, READ,  PLAIN, FIRST),
        Row("SREM",        "1.0.0",  -3, WRITE, PLAIN, FIRST,   "fast"),
        Row("SSCAN",       "2.8.0",  -3, READ,  PLAIN, FIRST),
        Row("SUNION",      "1.0.0",  -2, READ,  KEYED, ALL),
        Row("SUNIONSTORE", "1.0.0",  -3, WRITE, KEYED, ALL,     "denyoom"),
    ),
    "sorted-set": (
        Row("BZMPOP",           "7.0.0",  -5, WRITE, KEYED,   TIMED,    "blocking movablekeys"),
        Row("BZPOPMAX",         "5.0.0",  -3, WRITE, KEYED,   BUT_LAST, "noscript blocking fast"),
        Row("BZPOPMIN",         "5.0.0",  -3, WRITE, KEYED,   BUT_LAST, "noscript blocking fast"),
        Row("ZADD",             "1.2.0",  -4, WRITE, PLAIN,   FIRST,    "denyoom fast"),
        Row("ZCARD",            "1.2.0",   2, READ,  PLAIN,   FIRST,    "fast"),
        Row("ZCOUNT",           "2.0.0",   4, READ,  PLAIN,   FIRST,    "fast"),
        Row("ZDIFF",            "6.2.0",  -3, READ,  KEYED,   COUNTED,  "movablekeys"),
        Row("ZDIFFSTORE",       "6.2.0",  -4, WRITE, KEYED,   STORED,   "denyoom movablekeys"),
        Row("ZINCRBY",          "1.2.0",   4, WRITE, PLAIN,   FIRST,    "denyoom fast"),
        Row("ZINTER",           "6.2.0",  -3, READ,  KEYED,   COUNTED,  "movablekeys"),
        Row("ZINTERCARD",       "7.0.0",  -3, READ,  KEYED,   COUNTED,  "movablekeys"),
        Row("ZINTERSTORE",      "2.0.0",  -4, WRITE, KEYED,   STORED,   "denyoom movablekeys"),
        Row("ZLEXCOUNT",        "2.8.9",   4, READ,  PLAIN,   FIRST,    "fast"),
        Row("ZMPOP",            "7.0.0",  -4, WRITE, KEYED,   COUNTED,  "movablekeys"),
        Row("ZMSCORE",          "6.2.0",  -3, READ,  PLAIN,   FIRST,    "fast"),
        Row("ZPOPMAX",          "5.0.0",  -2, WRITE, PLAIN,   FIRST,    "fast"),
        Row("ZPOPMIN",          "5.0.0",  -2, WRITE, PLAIN,   FIRST,    "fast"),
        Row("ZRANDMEMBER",      "6.2.0",  -2, READ,  PLAIN,   FIRST),
        Row("ZRANGE",           "1.2.0",  -4, READ,  PLAIN,   FIRST),
        Row("ZRANGEBYLEX",      "2.8.9",  -4, READ,  PLAIN,   FIRST),
        Row("ZRANGEBYSCORE",    "1.0.5",  -4, READ,  PLAIN,   FIRST),
        Row("ZRANGESTORE",      "6.2.0",  -5, WRITE, KEYED,   TWO,      "denyoom"),
        # ZRANK and ZREVRANK take WITHSCORE since 7.2; an older server refuses it itself.
        Row("ZRANK",            "2.0.0",  -3, READ,  PLAIN,   FIRST,    "fast"),
        Row("ZREM",             "1.2.0",  -3, WRITE, PLAIN,   FIRST,    "fast"),
        Row("ZREMRANGEBYLEX",   "2.8.9",   4, WRITE, PLAIN,   FIRST),
        Row("ZREMRANGEBYRANK",  "2.0.0",   4, WRITE, PLAIN,   FIRST),
        Row("ZREMRANGEBYSCORE", "1.2.0",   4, WRITE, PLAIN,   FIRST),
        Row("ZREVRANGE",        "1.2.0",  -4, READ,  PLAIN,   FIRST),
        Row("ZREVRANGEBYLEX",   "2.8.9",  -4, READ,  PLAIN,   FIRST),
        Row("ZREVRANGEBYSCORE", "2.2.0",  -4, READ,  PLAIN,   FIRST),
        Row("ZREVRANK",         "2.0.0",  -3, READ,  PLAIN,   FIRST,    "fast"),
        Row("ZSCAN",            "2.8.0",  -3, READ,  PLAIN,   FIRST),
        Row("ZSCORE",           "1.2.0",   3, READ,  PLAIN,   FIRST,    "fast"),
        Row("ZUNION",           "6.2.0",  -3, READ,  KEYED,   COUNTED,  "movablekeys"),
        Row("ZUNIONSTORE",      "2.0.0",  -4, WRITE, KEYED,   STORED,   "denyoom movablekeys"),
    ),
    "hash": (
        Row("HDEL",         "2.0.0",  -3, WRITE, PLAIN, FIRST, "fast"),
        Row("HEXISTS",      "2.0.0",   3, READ,  PLAIN, FIRST, "fast"),
        Row("HEXPIRE",      "7.4.0",  -6, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HEXPIREAT",    "7.4.0",  -6, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HEXPIRETIME",  "7.4.0",  -5, READ,  PLAIN, FIRST, "fast"),
        Row("HGET",         "2.0.0",   3, READ,  PLAIN, FIRST, "fast"),
        Row("HGETALL",      "2.0.0",   2, READ,  PLAIN, FIRST),
        Row("HGETDEL",      "8.0.0",  -5, WRITE, PLAIN, FIRST, "fast"),
        Row("HGETEX",       "8.0.0",  -5, WRITE, PLAIN, FIRST, "fast"),
        Row("HINCRBY",      "2.0.0",   4, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HINCRBYFLOAT", "2.6.0",   4, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HKEYS",        "2.0.0",   2, READ,  PLAIN, FIRST),
        Row("HLEN",         "2.0.0",   2, READ,  PLAIN, FIRST, "fast"),
        Row("HMGET",        "2.0.0",  -3, READ,  PLAIN, FIRST, "fast"),
        Row("HMSET",        "2.0.0",  -4, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HPERSIST",     "7.4.0",  -5, WRITE, PLAIN, FIRST, "fast"),
        Row("HPEXPIRE",     "7.4.0",  -6, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HPEXPIREAT",   "7.4.0",  -6, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HPEXPIRETIME", "7.4.0",  -5, READ,  PLAIN, FIRST, "fast"),
        Row("HPTTL",        "7.4.0",  -5, READ,  PLAIN, FIRST, "fast"),
        Row("HRANDFIELD",   "6.2.0",  -2, READ,  PLAIN, FIRST),
        Row("HSCAN",        "2.8.0",  -3, READ,  PLAIN, FIRST),
        Row("HSET",         "2.0.0",  -4, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HSETEX",       "8.0.0",  -6, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HSETNX",       "2.0.0",   4, WRITE, PLAIN, FIRST, "denyoom fast"),
        Row("HSTRLEN",      "3.2.0",   3, READ,  PLAIN, FIRST, "fast"),
        Row("HTTL",         "7.4.0",  -5, READ,  PLAIN, FIRST, "fast"),
        Row("HVALS",        "2.0.0",   2, READ,  PLAIN, FIRST),
    ),
    "stream": (
        Row("XACK",                  "5.0.0",  -4, WRITE, PLAIN,     FIRST,   "fast"),
        Row("XACKDEL",               "8.2.0",  -6, WRITE, PLAIN,     FIRST,   "fast"),
        Row("XADD",                  "5.0.0",  -5, WRITE, PLAIN,     FIRST,   "denyoom fast"),
        Row("XAUTOCLAIM",            "6.2.0",  -6, WRITE, PLAIN,     FIRST,   "fast"),
        Row("XCLAIM",                "5.0.0",  -6, WRITE, PLAIN,     FIRST,   "fast"),
        Row("XDEL",                  "5.0.0",  -3, WRITE, PLAIN,     FIRST,   "fast"),
        Row("XDELEX",                "8.2.0",  -5, WRITE, PLAIN,     FIRST,   "fast"),
        Row("XGROUP",                "5.0.0",  -2, ADMIN, CONTAINER, NONE),
        Row("XGROUP|CREATE",         "5.0.0",  -5, WRITE, PLAIN,     SECOND,  "denyoom"),
        Row("XGROUP|CREATECONSUMER", "6.2.0",   5, WRITE, PLAIN,     SECOND,  "denyoom"),
        Row("XGROUP|DELCONSUMER",    "5.0.0",   5, WRITE, PLAIN,     SECOND),
        Row("XGROUP|DESTROY",        "5.0.0",   4, WRITE, PLAIN,     SECOND),
        Row("XGROUP|HELP",           "5.0.0",   2, LOCAL, ANSWERED,  NONE,    "loading stale"),
        Row("XGROUP|SETID",          "5.0.0",  -5, WRITE, PLAIN,     SECOND),
        Row("XINFO",                 "5.0.0",  -2, ADMIN, CONTAINER, NONE),
        Row("XINFO|CONSUMERS",       "5.0.0",   4, READ,  PLAIN,     SECOND),
        Row("XINFO|GROUPS",          "5.0.0",   3, READ,  PLAIN,     SECOND),
        Row("XINFO|HELP",            "5.0.0",   2, LOCAL, ANSWERED,  NONE,    "loading stale"),
        Row("XINFO|STREAM",          "5.0.0",  -3, READ,  PLAIN,     SECOND),
        Row("XLEN",                  "5.0.0",   2, READ,  PLAIN,     FIRST,   "fast"),
        Row("XPENDING",              "5.0.0",  -3, READ,  PLAIN,     FIRST),
        Row("XRANGE",                "5.0.0",  -4, READ,  PLAIN,     FIRST),
        Row("XREAD",                 "5.0.0",  -4, READ,  KEYED,     STREAMS, "blocking movablekeys"),
        Row("XREADGROUP",            "5.0.0",  -7, WRITE, KEYED,     STREAMS, "blocking movablekeys"),
        Row("XREVRANGE",             "5.0.0",  -4, READ,  PLAIN,     FIRST),
        Row("XSETID",                "5.0.0",  -3, WRITE, PLAIN,     FIRST,   "denyoom fast"),
        Row("XTRIM",                 "5.0.0",  -4, WRITE, PLAIN,     FIRST),
    ),
    "geo": (
        Row("GEOADD",               "3.2.0",  -5, WRITE, PLAIN, FIRST,  "denyoom"),
        Row("GEODIST",              "3.2.0",  -4, READ,  PLAIN, FIRST),
        Row("GEOHASH",              "3.2.0",  -2, READ,  PLAIN, FIRST),
        Row("GEOPOS",               "3.2.0",  -2, READ,  PLAIN, FIRST),
        Row("GEORADIUS",            "3.2.0",  -6, WRITE, KEYED, RADIUS, "denyoom movablekeys"),
        Row("GEORADIUS_RO",         "3.2.10", -6, READ,  PLAIN, FIRST),
        Row("GEORADIUSBYMEMBER",    "3.2.0",  -5, WRITE, KEYED, RADIUS, "denyoom movablekeys"),
        Row("GEORADIUSBYMEMBER_RO", "3.2.10", -5, READ,  PLAIN, FIRST),
        Row("GEOSEARCH",            "6.2.0",  -7, READ,  PLAIN, FIRST),
        Row("GEOSEARCHSTORE",       "6.2.0",  -8, WRITE, KEYED, TWO,    "denyoom"),
    ),
    "hyperloglog": (
        Row("PFADD",      "2.8.9",  -2, WRITE, PLAIN,    FIRST,  "denyoom fast"),
        Row("PFCOUNT",    "2.8.9",  -2, READ,  KEYED,    ALL),
        Row("PFDEBUG",    "2.8.9",   3, WRITE, ONE_NODE, SECOND, "denyoom admin"),
        Row("PFMERGE",    "2.8.9",  -2, WRITE, KEYED,    ALL,    "denyoom"),
        Row("PFSELFTEST", "2.8.9",   1, ADMIN, ONE_NODE, NONE,   "admin"),
    ),
    "bitmap": (
        Row("BITCOUNT",    "2.6.0",  -2, READ,  PLAIN, FIRST),
        Row("BITFIELD",    "3.2.0",  -2, WRITE, PLAIN, FIRST, "denyoom"),
        Row("BITFIELD_RO", "6.0.0",  -2, READ,  PLAIN, FIRST, "fast"),
        Row("BITOP",       "2.6.0",  -4, WRITE, KEYED, REST,  "denyoom"),
        Row("BITPOS",      "2.8.7",  -3, READ,  PLAIN, FIRST),
        Row("GETBIT",      "2.2.0",   3, READ,  PLAIN, FIRST, "fast"),
        Row("SETBIT",      "2.2.0",   4, WRITE, PLAIN, FIRST, "denyoom"),
    ),
    "vector_set": (
        Row("VADD",        "8.0.0",  -5, WRITE, PLAIN, FIRST, "denyoom"),
        Row("VCARD",       "8.0.0",   2, READ,  PLAIN, FIRST, "fast"),
        Row("VDIM",        "8.0.0",   2, READ,  PLAIN, FIRST, "fast"),
        Row("VEMB",        "8.0.0",  -3, READ,  PLAIN, FIRST, "fast"),
        Row("VGETATTR",    "8.0.0",   3, READ,  PLAIN, FIRST, "fast"),
        Row("VINFO",       "8.0.0",   2, READ,  PLAIN, FIRST, "fast"),
        Row("VISMEMBER",   "8.0.0",   3, READ,  PLAIN, FIRST, "fast"),
        Row("VLINKS",      "8.0.0",  -3, READ,  PLAIN, FIRST, "fast"),
        Row("VRANDMEMBER", "8.0.0",  -2, READ,  PLAIN, FIRST),
        Row("VRANGE",      "8.4.0",  -4, READ,  PLAIN, FIRST),
        Row("VREM",        "8.0.0",   3, WRITE, PLAIN, FIRST),
        Row("VSETATTR",    "8.0.0",   4, WRITE, PLAIN, FIRST, "fast"),
        Row("VSIM",        "8.0.0",  -4, READ,  PLAIN, FIRST),
    ),
    "scripting": (
        Row("EVAL",             "2.6.0",  -3, WRITE, KEYED,     SCRIPT, "-write " + SCRIPTED),
        Row("EVAL_RO",          "7.0.0",  -3, READ,  KEYED,     SCRIPT, SCRIPTED),
        Row("EVALSHA",          "2.6.0",  -3, WRITE, KEYED,     SCRIPT, "-write " + SCRIPTED),
        Row("EVALSHA_RO",       "7.0.0",  -3, READ,  KEYED,     SCRIPT, SCRIPTED),
        Row("FCALL",            "7.0.0",  -3, WRITE, KEYED,     SCRIPT, "-write " + SCRIPTED),
        Row("FCALL_RO",         "7.0.0",  -3, READ,  KEYED,     SCRIPT, SCRIPTED),
        Row("FUNCTION",         "7.0.0",  -2, ADMIN, CONTAINER, NONE),
        Row("FUNCTION|DELETE",  "7.0.0",   3, WRITE, FAN_OUT,   NONE,   "noscript",              ALL_SHARDS, ALL_SUCCEEDED),
        Row("FUNCTION|DUMP",    "7.0.0",   2, READ,  KEYED,     NONE,   "-readonly noscript"),
        Row("FUNCTION|FLUSH",   "7.0.0",  -2, WRITE, FAN_OUT,   NONE,   "noscript",              ALL_SHARDS, ALL_SUCCEEDED),
        Row("FUNCTION|HELP",    "7.0.0",   2, LOCAL, ANSWERED,  NONE,   "loading stale"),
        Row("FUNCTION|KILL",    "7.0.0",   2, ADMIN, FAN_OUT,   NONE,   "noscript allow_busy",   ALL_SHARDS, ONE_SUCCEEDED),
        Row("FUNCTION|LIST",    "7.0.0",  -2, READ,  KEYED,     NONE,   "-readonly noscript"),
        Row("FUNCTION|LOAD",    "7.0.0",  -3, WRITE, FAN_OUT,   NONE,   "denyoom noscript",      ALL_SHARDS, ALL_SUCCEEDED),
        Row("FUNCTION|RESTORE", "7.0.0",  -3, WRITE, FAN_OUT,   NONE,   "denyoom noscript",      ALL_SHARDS, ALL_SUCCEEDED),
        Row("FUNCTION|STATS",   "7.0.0",   2, ADMIN, FAN_OUT,   NONE,   "noscript allow_busy",   ALL_SHARDS, SPECIAL),
        Row("SCRIPT",           "2.6.0",  -2, ADMIN, CONTAINER, NONE),
        Row("SCRIPT|DEBUG",     "3.2.0",   3, ADMIN, ONE_NODE,  NONE,   "noscript"),
        Row("SCRIPT|EXISTS",    "2.6.0",  -3, ADMIN, FAN_OUT,   NONE,   "noscript",              ALL_SHARDS, AGG_LOGICAL_AND),
        Row("SCRIPT|FLUSH",     "2.6.0",  -2, WRITE, FAN_OUT,   NONE,   "-write noscript",       ALL_NODES, ALL_SUCCEEDED),
        Row("SCRIPT|HELP",      "5.0.0",   2, LOCAL, ANSWERED,  NONE,   "loading stale"),
        Row("SCRIPT|KILL",      "2.6.0",   2, ADMIN, FAN_OUT,   NONE,   "noscript allow_busy",   ALL_SHARDS, ONE_SUCCEEDED),
        Row("SCRIPT|LOAD",      "2.6.0",   3, WRITE, FAN_OUT,   NONE,   "-write noscript stale", ALL_NODES, ALL_SUCCEEDED),
        Row("SCRIPT|SHOW",      "8.0.0",   3, ADMIN, KEYED,     NONE,   "noscript"),
    ),
    "pubsub": (
        Row("PSUBSCRIBE",           "2.0.0",  -2, LOCAL, ANSWERED,  NONE,    "pubsub noscript loading stale", transaction=REFUSE),
        Row("PUBLISH",              "2.0.0",   3, WRITE, KEYED,     NONE,    "-write pubsub loading stale fast"),
        Row("PUBSUB",               "2.8.0",  -2, ADMIN, CONTAINER, NONE),
        Row("PUBSUB|CHANNELS",      "2.8.0",  -2, LOCAL, ANSWERED,  NONE,    "pubsub loading stale"),
        Row("PUBSUB|HELP",          "6.2.0",   2, LOCAL, ANSWERED,  NONE,    "loading stale"),
        Row("PUBSUB|NUMPAT",        "2.8.0",   2, LOCAL, ANSWERED,  NONE,    "pubsub loading stale"),
        Row("PUBSUB|NUMSUB",        "2.8.0",  -2, LOCAL, ANSWERED,  NONE,    "pubsub loading stale"),
        Row("PUBSUB|SHARDCHANNELS", "7.0.0",  -2, LOCAL, ANSWERED,  NONE,    "pubsub loading stale"),
        Row("PUBSUB|SHARDNUMSUB",   "7.0.0",  -2, LOCAL, ANSWERED,  NONE,    "pubsub loading stale"),
        Row("PUNSUBSCRIBE",         "2.0.0",  -1, LOCAL, ANSWERED,  NONE,    "pubsub noscript loading stale", transaction=REFUSE),
        Row("SPUBLISH",             "7.0.0",   3, WRITE, KEYED,     CHANNEL, "-write pubsub loading stale fast"),
        Row("SSUBSCRIBE",           "7.0.0",  -2, LOCAL, ANSWERED,  ALL,     "pubsub noscript loading stale", transaction=REFUSE),
        Row("SUBSCRIBE",            "2.0.0",  -2, LOCAL, ANSWERED,  NONE,    "pubsub noscript loading stale", transaction=REFUSE),
        Row("SUNSUBSCRIBE",         "7.0.0",  -1, LOCAL, ANSWERED,  ALL,     "pubsub noscript loading stale", transaction=REFUSE),
        Row("UNSUBSCRIBE",          "2.0.0",  -1, LOCAL, ANSWERED,  NONE,    "pubsub noscript loading stale", transaction=REFUSE),
    ),
    "transactions": (
        Row("DISCARD", "2.0.0",   1, LOCAL, ANSWERED, NONE, STATE, transaction=IMMEDIATE),
        Row("EXEC",    "1.2.0",   1, LOCAL, ANSWERED, NONE, "noscript loading stale skip_slowlog", transaction=IMMEDIATE),
        Row("MULTI",   "1.2.0",   1, LOCAL, ANSWERED, NONE, STATE, transaction=IMMEDIATE),
        Row("UNWATCH", "2.2.0",   1, LOCAL, ANSWERED, NONE, STATE),
        Row("WATCH",   "2.2.0",  -2, LOCAL, ANSWERED, ALL,  STATE, transaction=IMMEDIATE),
    ),
    "connection": (
        Row("AUTH",                "1.0.0",  -2, LOCAL, ANSWERED,  NONE, GREETING),
        Row("CLIENT",              "2.4.0",  -2, LOCAL, CONTAINER, NONE),
        Row("CLIENT|CACHING",      "6.0.0",   3, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|CAPA",         "8.0.0",  -3, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|GETNAME",      "2.6.9",   2, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|GETREDIR",     "6.0.0",   2, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|HELP",         "5.0.0",   2, LOCAL, ANSWERED,  NONE, "loading stale"),
        Row("CLIENT|ID",           "5.0.0",   2, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|IMPORT-SOURCE","8.1.0",   3, LOCAL, ONE_NODE,  NONE, "noscript loading stale"),
        Row("CLIENT|INFO",         "6.2.0",   2, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|KILL",         "2.4.0",  -3, LOCAL, ANSWERED,  NONE, "admin noscript loading stale"),
        Row("CLIENT|LIST",         "2.4.0",  -2, LOCAL, ANSWERED,  NONE, "admin noscript loading stale"),
        Row("CLIENT|NO-EVICT",     "7.0.0",   3, LOCAL, ANSWERED,  NONE, "admin noscript loading stale"),
        Row("CLIENT|NO-TOUCH",     "7.2.0",   3, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|PAUSE",        "2.9.50", -3, LOCAL, ANSWERED,  NONE, "admin noscript loading stale"),
        Row("CLIENT|REPLY",        "3.2.0",   3, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|SETINFO",      "7.2.0",   4, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|SETNAME",      "2.6.9",   3, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|TRACKING",     "6.0.0",  -3, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|TRACKINGINFO", "6.2.0",   2, LOCAL, ANSWERED,  NONE, "noscript loading stale"),
        Row("CLIENT|UNBLOCK",      "5.0.0",  -3, LOCAL, ANSWERED,  NONE, "admin noscript loading stale"),
        Row("CLIENT|UNPAUSE",      "6.2.0",   2, LOCAL, ANSWERED,  NONE, "admin noscript loading stale"),
        Row("ECHO",                "1.0.0",   2, LOCAL, ANSWERED,  NONE, "loading stale fast"),
        Row("HELLO",               "6.0.0",  -1, LOCAL, ANSWERED,  NONE, GREETING),
        Row("PING",                "1.0.0",  -1, LOCAL, ANSWERED,  NONE, "fast"),
        Row("QUIT",                "1.0.0",  -1, LOCAL, ANSWERED,  NONE, GREETING, transaction=IMMEDIATE),
        Row("RESET",               "6.2.0",   1, LOCAL, ANSWERED,  NONE, GREETING, transaction=IMMEDIATE),
        Row("SELECT",              "1.0.0",   2, LOCAL, ANSWERED,  NONE, "loading stale fast"),
    ),
    "server": (
        Row("ACL",                     "6.0.0",  -2, ADMIN, CONTAINER,    NONE),
        Row("ACL|CAT",                 "6.0.0",  -2, LOCAL, ANSWERED,     NONE,   "noscript loading stale"),
        Row("ACL|DELUSER",             "6.0.0",  -3, ADMIN, CONFIGURED,   NONE,   "admin noscript loading stale"),
        Row("ACL|DRYRUN",              "7.0.0",  -4, LOCAL, ANSWERED,     NONE,   "admin noscript loading stale"),
        Row("ACL|GENPASS",             "6.0.0",  -2, LOCAL, ANSWERED,     NONE,   "noscript loading stale"),
        Row("ACL|GETUSER",             "6.0.0",   3, LOCAL, ANSWERED,     NONE,   "admin noscript loading stale"),
        Row("ACL|HELP",                "6.0.0",   2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("ACL|LIST",                "6.0.0",   2, LOCAL, ANSWERED,     NONE,   "admin noscript loading stale"),
        Row("ACL|LOAD",                "6.0.0",   2, ADMIN, CONFIGURED,   NONE,   "admin noscript loading stale"),
        Row("ACL|LOG",                 "6.0.0",  -2, LOCAL, ANSWERED,     NONE,   "admin noscript loading stale"),
        Row("ACL|SAVE",                "6.0.0",   2, ADMIN, CONFIGURED,   NONE,   "admin noscript loading stale"),
        Row("ACL|SETUSER",             "6.0.0",  -3, ADMIN, CONFIGURED,   NONE,   "admin noscript loading stale"),
        Row("ACL|USERS",               "6.0.0",   2, LOCAL, ANSWERED,     NONE,   "admin noscript loading stale"),
        Row("ACL|WHOAMI",              "6.0.0",   2, LOCAL, ANSWERED,     NONE,   "noscript loading stale"),
        Row("BGREWRITEAOF",            "1.0.0",   1, ADMIN, FAN_OUT,      NONE,   "admin noscript no_async_loading", ALL_SHARDS, ALL_SUCCEEDED),
        Row("BGSAVE",                  "1.0.0",  -1, ADMIN, FAN_OUT,      NONE,   "admin noscript no_async_loading", ALL_SHARDS, ALL_SUCCEEDED),
        Row("COMMAND",                 "2.8.13", -1, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("COMMANDLOG",              "8.1.0",  -2, ADMIN, CONTAINER,    NONE),
        Row("COMMANDLOG|GET",          "8.1.0",   4, ADMIN, ONE_NODE,     NONE,   "admin loading stale"),
        Row("COMMANDLOG|HELP",         "8.1.0",   2, ADMIN, ONE_NODE,     NONE,   "loading stale"),
        Row("COMMANDLOG|LEN",          "8.1.0",   3, ADMIN, ONE_NODE,     NONE,   "admin loading stale"),
        Row("COMMANDLOG|RESET",        "8.1.0",   3, ADMIN, ONE_NODE,     NONE,   "admin loading stale"),
        Row("COMMAND|COUNT",           "2.8.13",  2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("COMMAND|DOCS",            "7.0.0",  -2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("COMMAND|GETKEYS",         "2.8.13", -4, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("COMMAND|GETKEYSANDFLAGS", "7.0.0",  -4, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("COMMAND|HELP",            "5.0.0",   2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("COMMAND|INFO",            "2.8.13", -2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("COMMAND|LIST",            "7.0.0",  -2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("CONFIG",                  "2.0.0",  -2, ADMIN, CONTAINER,    NONE),
        Row("CONFIG|GET",              "2.0.0",  -3, ADMIN, ANSWERED,     NONE,   "admin noscript loading stale"),
        Row("CONFIG|HELP",             "5.0.0",   2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("CONFIG|RESETSTAT",        "2.0.0",   2, ADMIN, FAN_OUT,      NONE,   "admin noscript loading stale", ALL_NODES, ALL_SUCCEEDED),
        Row("CONFIG|REWRITE",          "2.8.0",   2, ADMIN, ONE_NODE,     NONE,   "admin noscript loading stale"),
        Row("CONFIG|SET",              "2.0.0",  -4, ADMIN, FAN_OUT,      NONE,   "admin noscript loading stale", ALL_NODES, ALL_SUCCEEDED),
        Row("DBSIZE",                  "1.0.0",   1, READ,  FAN_OUT,      NONE,   "fast", ALL_SHARDS, AGG_SUM),
        Row("DEBUG",                   "1.0.0",  -2, ADMIN, ONE_NODE,     NONE,   "admin noscript loading stale"),
        Row("FAILOVER",                "6.2.0",  -1, ADMIN, ONE_NODE,     NONE,   "admin noscript stale"),
        Row("FLUSHALL",                "1.0.0",  -1, WRITE, FAN_OUT,      NONE,   "",     ALL_SHARDS, ALL_SUCCEEDED),
        Row("FLUSHDB",                 "1.0.0",  -1, WRITE, FAN_OUT,      NONE,   "",     ALL_SHARDS, ALL_SUCCEEDED),
        Row("INFO",                    "1.0.0",  -1, ADMIN, ANSWERED,     NONE,   "loading stale", ALL_SHARDS, SPECIAL),
        Row("LASTSAVE",                "1.0.0",   1, ADMIN, FAN_OUT,      NONE,   "loading stale fast", ALL_SHARDS, AGG_MIN),
        Row("LATENCY",                 "2.8.13", -2, ADMIN, CONTAINER,    NONE),
        Row("LATENCY|DOCTOR",          "2.8.13",  2, ADMIN, FAN_OUT,      NONE,   "admin noscript loading stale", ALL_NODES, SPECIAL),
        Row("LATENCY|GRAPH",           "2.8.13",  3, ADMIN, FAN_OUT,      NONE,   "admin noscript loading stale", ALL_NODES, SPECIAL),
        Row("LATENCY|HELP",            "2.8.13",  2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("LATENCY|HISTOGRAM",       "7.0.0",  -2, ADMIN, ANSWERED,     NONE,   "admin noscript loading stale", ALL_NODES, SPECIAL),
        Row("LATENCY|HISTORY",         "2.8.13",  3, ADMIN, FAN_OUT,      NONE,   "admin noscript loading stale", ALL_NODES, SPECIAL),
        Row("LATENCY|LATEST",          "2.8.13",  2, ADMIN, FAN_OUT,      NONE,   "admin noscript loading stale", ALL_NODES, SPECIAL),
        Row("LATENCY|RESET",           "2.8.13", -2, ADMIN, FAN_OUT,      NONE,   "admin noscript loading stale", ALL_NODES, AGG_SUM),
        Row("LOLWUT",                  "5.0.0",  -1, READ,  KEYED,        NONE,   "fast"),
        Row("MEMORY",                  "4.0.0",  -2, ADMIN, CONTAINER,    NONE),
        Row("MEMORY|DOCTOR",           "4.0.0",   2, ADMIN, FAN_OUT,      NONE,   "", ALL_SHARDS, SPECIAL),
        Row("MEMORY|HELP",             "4.0.0",   2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("MEMORY|MALLOC-STATS",     "4.0.0",   2, ADMIN, FAN_OUT,      NONE,   "", ALL_SHARDS, SPECIAL),
        Row("MEMORY|PURGE",            "4.0.0",   2, ADMIN, FAN_OUT,      NONE,   "", ALL_SHARDS, ALL_SUCCEEDED),
        Row("MEMORY|STATS",            "4.0.0",   2, ADMIN, FAN_OUT,      NONE,   "", ALL_SHARDS, SPECIAL),
        Row("MEMORY|USAGE",            "4.0.0",  -3, READ,  PLAIN,        SECOND),
        Row("MODULE",                  "4.0.0",  -2, ADMIN, CONTAINER,    NONE),
        Row("MODULE|HELP",             "5.0.0",   2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("MODULE|LIST",             "4.0.0",   2, ADMIN, ANSWERED,     NONE,   "admin noscript"),
        Row("MODULE|LOAD",             "4.0.0",  -3, ADMIN, ONE_NODE,     NONE,   "admin noscript no_async_loading"),
        Row("MODULE|LOADEX",           "7.0.0",  -3, ADMIN, ONE_NODE,     NONE,   "admin noscript no_async_loading"),
        Row("MODULE|UNLOAD",           "4.0.0",   3, ADMIN, ONE_NODE,     NONE,   "admin noscript no_async_loading"),
        Row("MONITOR",                 "1.0.0",   1, LOCAL, ANSWERED,     NONE,   "admin noscript loading stale"),
        Row("PSYNC",                   "2.8.0",  -3, ADMIN, ONE_NODE,     NONE,   "admin noscript no_async_loading no_multi", transaction=REFUSE),
        Row("REPLCONF",                "3.0.0",  -1, ADMIN, ONE_NODE,     NONE,   "admin noscript loading stale allow_busy"),
        Row("REPLICAOF",               "5.0.0",   3, ADMIN, ONE_NODE,     NONE,   "admin noscript stale no_async_loading"),
        Row("ROLE",                    "2.8.12",  1, ADMIN, ANSWERED,     NONE,   "noscript loading stale fast"),
        Row("SAVE",                    "1.0.0",   1, ADMIN, ONE_NODE,     NONE,   "admin noscript no_async_loading no_multi", transaction=REFUSE),
        Row("SFLUSH",                  "8.0.0",  -3, WRITE, ONE_NODE,     NONE),
        Row("SHUTDOWN",                "1.0.0",  -1, ADMIN, ONE_NODE,     NONE,   "admin noscript loading stale no_multi allow_busy", transaction=REFUSE),
        Row("SLAVEOF",                 "1.0.0",   3, ADMIN, ONE_NODE,     NONE,   "admin noscript stale no_async_loading"),
        Row("SLOWLOG",                 "2.2.12", -2, ADMIN, CONTAINER,    NONE),
        Row("SLOWLOG|GET",             "2.2.12", -2, LOCAL, ANSWERED,     NONE,   "admin loading stale"),
        Row("SLOWLOG|HELP",            "6.2.0",   2, LOCAL, ANSWERED,     NONE,   "loading stale"),
        Row("SLOWLOG|LEN",             "2.2.12",  2, LOCAL, ANSWERED,     NONE,   "admin loading stale"),
        Row("SLOWLOG|RESET",           "2.2.12",  2, LOCAL, ANSWERED,     NONE,   "admin loading stale"),
        Row("SWAPDB",                  "4.0.0",   3, WRITE, ONE_DATABASE, NONE,   "fast"),
        Row("SYNC",                    "1.0.0",   1, ADMIN, ONE_NODE,     NONE,   "admin noscript no_async_loading no_multi", transaction=REFUSE),
        Row("TIME",                    "2.6.0",   1, LOCAL, ANSWERED,     NONE,   "loading stale fast"),
    ),
    "cluster": (
        Row("ASKING",                        "3.0.0",   1, LOCAL, ANSWERED,  NONE, "fast"),
        Row("CLUSTER",                       "3.0.0",  -2, ADMIN, CONTAINER, NONE),
        Row("CLUSTER|ADDSLOTS",              "3.0.0",  -3, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|ADDSLOTSRANGE",         "7.0.0",  -4, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|BUMPEPOCH",             "3.0.0",   2, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|CANCELSLOTMIGRATIONS",  "9.0.0",   2, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|COUNT-FAILURE-REPORTS", "3.0.0",   3, LOCAL, ANSWERED,  NONE, "admin stale"),
        Row("CLUSTER|COUNTKEYSINSLOT",       "3.0.0",   3, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|DELSLOTS",              "3.0.0",  -3, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|DELSLOTSRANGE",         "7.0.0",  -4, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|FAILOVER",              "3.0.0",  -2, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|FLUSHSLOT",             "9.0.0",  -3, ADMIN, ONE_NODE,  NONE, "admin no_async_loading"),
        Row("CLUSTER|FLUSHSLOTS",            "3.0.0",   2, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|FORGET",                "3.0.0",   3, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|GETKEYSINSLOT",         "3.0.0",   4, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|GETSLOTMIGRATIONS",     "9.0.0",   2, ADMIN, ONE_NODE,  NONE, "admin loading stale"),
        Row("CLUSTER|HELP",                  "5.0.0",   2, LOCAL, ANSWERED,  NONE, "loading stale"),
        Row("CLUSTER|INFO",                  "3.0.0",   2, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|KEYSLOT",               "3.0.0",   3, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|LINKS",                 "7.0.0",   2, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|MEET",                  "3.0.0",  -4, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|MIGRATESLOTS",          "9.0.0",  -3, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|MIGRATION",             "8.4.0",  -4, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|MYID",                  "3.0.0",   2, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|MYSHARDID",             "7.2.0",   2, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|NODES",                 "3.0.0",   2, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|REPLICAS",              "5.0.0",   3, LOCAL, ANSWERED,  NONE, "admin stale"),
        Row("CLUSTER|REPLICATE",             "3.0.0",   3, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|RESET",                 "3.0.0",  -2, ADMIN, ONE_NODE,  NONE, "admin noscript stale"),
        Row("CLUSTER|SAVECONFIG",            "3.0.0",   2, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|SET-CONFIG-EPOCH",      "3.0.0",   3, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|SETSLOT",               "3.0.0",  -4, ADMIN, ONE_NODE,  NONE, "admin stale no_async_loading"),
        Row("CLUSTER|SHARDS",                "7.0.0",   2, LOCAL, ANSWERED,  NONE, "stale"),
        Row("CLUSTER|SLAVES",                "3.0.0",   3, LOCAL, ANSWERED,  NONE, "admin stale"),
        Row("CLUSTER|SLOT-STATS",            "8.0.0",  -4, ADMIN, ONE_NODE,  NONE, "loading stale"),
        Row("CLUSTER|SLOTS",                 "3.0.0",   2, LOCAL, ANSWERED,  NONE, "stale"),
        Row("READONLY",                      "3.0.0",   1, LOCAL, ANSWERED,  NONE, "loading stale fast"),
        Row("READWRITE",                     "3.0.0",   1, LOCAL, ANSWERED,  NONE, "loading stale fast"),
    ),
}
"""The rows by the group that ``COMMAND DOCS`` names."""
# fmt: on
