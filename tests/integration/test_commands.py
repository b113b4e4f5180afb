"""The same commands directly to one Redis and through rproxy to a cluster: the same bytes come back."""

import shlex

import pytest

from tests.support.client import Argument, RawClient
from tests.support.installed import IS_7

SCENARIOS = {
    "strings": """
        SET a 1 | GET a | GET none | SET a 2 NX | SET a 3 XX GET | GETSET a 4 | APPEND a bc | STRLEN a
        GETRANGE a 0 1 | SETRANGE a 1 xyz | GET a | SET n 10 | INCR n | DECR n | INCRBY n 5 | DECRBY n 3
        INCRBYFLOAT n 0.5 | GETDEL n | SETEX a 100 v | TTL a | PSETEX a 100000 v | PERSIST a | PERSIST a
        SETNX a w | SETNX fresh w | GETEX a EX 100 | SUBSTR a 0 0 | SET e "" | GET e | STRLEN e""",
    "keys": """
        SET a 1 | EXISTS a | TYPE a | TYPE none | EXPIRE a 100 | TTL a | PEXPIRE a 100000
        EXPIREAT a 99999999999 | PERSIST a | TTL a | TTL none | RENAME {a}x {a}y | SET {a}x 1 | RENAME {a}x {a}y
        RENAMENX {a}y {a}z | COPY {a}z {a}w | GET {a}w | OBJECT ENCODING {a}w | OBJECT REFCOUNT {a}w
        OBJECT ENCODING none | DUMP a | RPUSH l 3 1 2 | SORT l | SORT l DESC LIMIT 0 2 | SORT {l}src ALPHA
        RPUSH {l}src c a b | SORT {l}src ALPHA STORE {l}dst | LRANGE {l}dst 0 -1 | DEL l | EXISTS l""",
    "hashes": """
        HSET h f 1 g 2 | HGET h f | HGET h none | HGETALL h | HMGET h f none g | HINCRBY h f 4
        HINCRBYFLOAT h g 0.25 | HLEN h | HKEYS h | HVALS h | HEXISTS h f | HSETNX h f 9 | HSTRLEN h f
        HDEL h f none | HMSET h x 1 y 2 | HSCAN h 0 | HRANDFIELD none | HGETALL none""",
    "lists": """
        RPUSH l a b c | LPUSH l z | LRANGE l 0 -1 | LLEN l | LINDEX l 1 | LINSERT l BEFORE b x | LPOS l b
        LSET l 0 y | LREM l 1 x | LTRIM l 0 2 | LPOP l | RPOP l | LPOP l 5 | LPOP l | LPUSHX l 1 | RPUSHX l 1
        RPUSH {l}1 a b c | LMOVE {l}1 {l}2 LEFT RIGHT | RPOPLPUSH {l}1 {l}2 | LRANGE {l}2 0 -1""",
    "sets": """
        SADD s 1 2 3 | SADD s 3 | SCARD s | SISMEMBER s 1 | SMISMEMBER s 1 9 | SMEMBERS s | SREM s 1 9
        SADD one 7 | SPOP one | SPOP one | SRANDMEMBER none | SADD {s}a 1 2 | SADD {s}b 2 3 | SINTER {s}a {s}b
        SUNION {s}a {s}b | SDIFF {s}a {s}b | SINTERSTORE {s}c {s}a {s}b | SUNIONSTORE {s}c {s}a {s}b
        SDIFFSTORE {s}c {s}a {s}b | SMOVE {s}a {s}b 1 | SSCAN {s}b 0""",
    "sorted sets": """
        ZADD z 1 a 2 b 3 c | ZADD z XX CH 5 a | ZADD z INCR 1 a | ZSCORE z a | ZMSCORE z a none
        ZRANGE z 0 -1 WITHSCORES | ZREVRANGE z 0 1 | ZRANGEBYSCORE z (1 +inf LIMIT 0 1
        ZRANGE z 0 5 BYSCORE REV | ZCARD z | ZCOUNT z 0 10 | ZRANK z b | ZREVRANK z b | ZINCRBY z 1.5 b
        ZPOPMIN z | ZPOPMAX z 2 | ZADD {z}a 1 x 2 y | ZADD {z}b 3 y | ZLEXCOUNT {z}a - +
        ZUNION 2 {z}a {z}b WITHSCORES | ZINTER 2 {z}a {z}b | ZDIFF 2 {z}a {z}b
        ZUNIONSTORE {z}c 2 {z}a {z}b WEIGHTS 2 3 | ZINTERSTORE {z}c 2 {z}a {z}b AGGREGATE MAX
        ZDIFFSTORE {z}c 2 {z}a {z}b | ZRANGESTORE {z}d {z}a 0 -1 | ZREM {z}a x | ZRANGEBYLEX {z}b - +
        ZREMRANGEBYRANK {z}d 0 0 | ZREMRANGEBYSCORE {z}d 0 9 | ZSCAN {z}b 0 | ZRANDMEMBER none""",
    "streams": """
        XADD x 1-1 f v | XADD x 1-2 f w | XADD x 1-1 f v | XLEN x | XRANGE x - + | XREVRANGE x + - COUNT 1
        XREAD STREAMS x 0 | XREAD COUNT 1 STREAMS x 1-1 | XREAD STREAMS x $ | XGROUP CREATE x g 0
        XREADGROUP GROUP g me COUNT 1 STREAMS x > | XPENDING x g | XACK x g 1-1 | XACK x g 1-1
        XCLAIM x g you 0 1-2 | XAUTOCLAIM x g you 0 0 | XINFO GROUPS none | XGROUP CREATECONSUMER x g new
        XGROUP DELCONSUMER x g new | XGROUP SETID x g 0 | XDEL x 1-1 | XTRIM x MAXLEN 0 | XSETID x 9-9
        XGROUP DESTROY x g | XADD {x}a 1-1 f v | XADD {x}b 1-1 f v | XREAD STREAMS {x}a {x}b 0 0 | XADD y 1-1 f v
        XREAD STREAMS y none {x}a 0 0 0 | XREAD COUNT 1 STREAMS none empty 0 0 | XREAD STREAMS {x}b y 0 nope""",
    "geo": """
        GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania | GEODIST g Palermo Catania km
        GEOHASH g Palermo | GEOPOS g Palermo none | GEORADIUS g 15 37 200 km ASC
        GEORADIUSBYMEMBER g Palermo 200 km ASC | GEORADIUS g 15 37 200 km STORE {g}near | ZCARD {g}near
        GEORADIUS_RO g 15 37 100 km | GEOSEARCH g FROMMEMBER Palermo BYRADIUS 200 km ASC
        GEOSEARCHSTORE {g}found g FROMLONLAT 15 37 BYRADIUS 200 km""",
    "hyperloglogs and bitmaps": """
        PFADD p a b c | PFADD p a | PFCOUNT p | PFADD {p}2 d | PFMERGE {p}3 p {p}2 | PFCOUNT {p}3
        PFCOUNT p {p}2 | SETBIT b 7 1 | GETBIT b 7 | BITCOUNT b | BITPOS b 1 | BITFIELD b SET u8 0 255 GET u4 0
        BITFIELD_RO b GET u8 0 | SET {b}1 abc | SET {b}2 abd | BITOP AND {b}and {b}1 {b}2 | GET {b}and
        BITOP NOT {b}not {b}1""",
    "over many slots": """
        MSET a 1 b 2 c 3 d 4 e 5 | MGET a b none c d e a | EXISTS a b none c a | TOUCH a b none | DEL a none b
        UNLINK c d none | MGET a b c d e | MSET {t}a 1 {t}b 2 | MGET {t}a {t}b | DEL {t}a {t}b
        MSETNX {t}a 1 {t}b 2 | MSET a 1 a 2 | GET a | RPUSH l 1 | MGET a l none | DEL l l l""",
    "scripts": """
        EVAL "return {KEYS[1],ARGV[1]}" 1 k v | EVAL "return redis.call('set',KEYS[1],ARGV[1])" 1 k v | GET k
        EVAL "return 1" 1 k | EVAL "return 1" 0 | EVAL "return {1,2.9,'x',false,true}" 1 k
        EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 k
        EVALSHA ffffffffffffffffffffffffffffffffffffffff 1 k | EVAL "return redis.error_reply('MINE own')" 1 k
        EVAL "return redis.status_reply('FINE')" 1 k | EVAL "return 1" x k | EVAL "return 1" 5 k
        EVAL "return 1" -1 k""",
    "errors": """
        SET s v | LPUSH s 1 | INCR s | HGET s f | ZADD s 1 m | SADD s 1 | SETEX s 0 v | SET s v NX XX
        SET s v EX abc | EXPIRE s abc | GETRANGE s a b | LINDEX s a | ZADD z abc m | BITOP NOT {b}1 {b}2 {b}3
        SETBIT s -1 1 | SORT s | OBJECT FREQ none | XADD x 0-0 f v | XREAD STREAMS a | ZUNIONSTORE {z}d 0 {z}a
        ZUNIONSTORE {z}d x {z}a | GEOADD g 999 999 m | HINCRBY h f abc | RESTORE r 0 garbage | MSET a
        GETDEL""",
    "arity": """
        GET | GET a b | SET a | MGET | MSET | DEL | EXISTS | HSET h f | ZADD z | LPUSH l | EVAL | XADD x | ECHO
        PING a b | get | TTL | BITOP AND | SINTER | ZUNIONSTORE d | DBSIZE x""",
    "local": """
        PING | PING hello | ECHO hello | SELECT 0 | CLIENT SETNAME me | CLIENT GETNAME
        CLIENT SETNAME "with space" | CLIENT GETNAME""",
}

ONLY_7 = {
    "of Redis 7": """
        SET a 1 | EXPIRE a 100 NX | EXPIRETIME none | SADD {s}a 1 2 | SADD {s}b 2 3 | SINTERCARD 2 {s}a {s}b
        ZADD {z}a 1 x 2 y | ZINTERCARD 1 {z}a | ZMPOP 1 {z}a MIN | LMPOP 2 {l}a {l}b LEFT | RPUSH {l}b 1
        LMPOP 2 {l}a {l}b LEFT | SET {c}a abcd | SET {c}b bd | LCS {c}a {c}b | SORT_RO none
        EVAL_RO "return 1" 1 a | EVAL_RO "return redis.call('set',KEYS[1],'x')" 1 a | BITCOUNT a 0 7 BIT
        SET a v GET | SELECT abc | MSET a 1 b | OBJECT ENCODING""",
    "unknown commands": """
        NOSUCH | NOSUCH a b | OBJECT | OBJECT NOSUCH a | CONFIG NOSUCH | SCRIPT | XINFO NOSUCH x""",
}


def commands_of(text: str) -> list[tuple[str, ...]]:
    """The commands of a scenario; they are separated by lines and bars."""
    return [tuple(shlex.split(part)) for line in text.strip().splitlines() for part in line.split("|") if part.strip()]


@pytest.mark.parametrize("name", [*SCENARIOS, *(ONLY_7 if IS_7 else ())])
def test_answers_are_those_of_one_redis(name: str, direct: RawClient, client: RawClient) -> None:
    commands = commands_of((SCENARIOS | ONLY_7)[name])
    for command in commands:
        assert (command, client.command(*command)) == (command, direct.command(*command))


@pytest.mark.parametrize("name", ["strings", "sorted sets", "over many slots", "errors"])
def test_so_are_those_of_a_pipeline(name: str, direct: RawClient, client: RawClient) -> None:
    commands: list[tuple[Argument, ...]] = list(commands_of(SCENARIOS[name]))
    assert client.pipeline(commands) == direct.pipeline(commands)


@pytest.mark.skipif(not IS_7, reason="Redis 6.2 words it otherwise")
@pytest.mark.parametrize("name", [b"no\r\nsuch", b"no\0such", b"\xff\xfe", b"n" * 300])
def test_an_unknown_name_of_any_bytes_is_named_in_one_line(direct: RawClient, client: RawClient, name: bytes) -> None:
    assert client.command(name, name, b"a" * 100) == direct.command(name, name, b"a" * 100)


@pytest.mark.parametrize(
    "command",
    [
        "RENAME a b",
        "SINTER a b",
        "BITOP AND a b c",
        "MSETNX a 1 b 2",
        "EVAL 'return 1' 2 a b",
        "ZUNIONSTORE a 1 b",
        "ZUNION 2 a b",
        "LMOVE a b LEFT LEFT",
        "PFCOUNT a b",
        "PFMERGE a b",
        "SORT a STORE b",
        "GEORADIUS a 15 37 200 km STORE b",
        "GEOSEARCHSTORE a b FROMLONLAT 15 37 BYRADIUS 200 km",
        "COPY a b",
    ],
)
def test_keys_of_several_slots_are_refused_in_the_clusters_words(client: RawClient, command: str) -> None:
    assert client.command(*shlex.split(command)) == b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"


@pytest.mark.parametrize(
    "command",
    ["DEBUG SLEEP 0", "SAVE", "SWAPDB 0 1", "CONFIG REWRITE"],
)
def test_what_is_refused_says_so_and_the_connection_stays(client: RawClient, command: str) -> None:
    reply = client.command(*command.split())
    assert reply.startswith(b"-ERR ")
    assert b"not available through rproxy" in reply
    assert client.command("PING") == b"+PONG\r\n"


def test_hello_2_introduces_one_server(client: RawClient) -> None:
    reply = client.command("HELLO", "2", "SETNAME", "me")
    assert b"$5\r\nproto\r\n:2\r\n" in reply
    assert b"$4\r\nmode\r\n$10\r\nstandalone\r\n" in reply
    assert client.command("CLIENT", "GETNAME") == b"$2\r\nme\r\n"


@pytest.mark.parametrize("version", ["1", "4"])
def test_hello_of_another_protocol_is_refused(client: RawClient, version: str) -> None:
    assert client.command("HELLO", version) == b"-NOPROTO unsupported protocol version\r\n"


def test_quit_is_answered_before_the_close(client: RawClient) -> None:
    client.send(b"SET a 1\r\nQUIT\r\nSET a 2\r\n")
    assert client.read_to_end() == b"+OK\r\n+OK\r\n"


def test_select_of_another_database_is_refused(client: RawClient) -> None:
    assert client.command("SELECT", "1") == b"-ERR SELECT is not allowed in cluster mode\r\n"


def test_every_client_has_its_own_id(client: RawClient) -> None:
    first = client.command("CLIENT", "ID")
    assert first.startswith(b":")
    assert client.command("CLIENT", "ID") == first


def test_time_is_two_numbers(client: RawClient) -> None:
    assert client.command("TIME").startswith(b"*2\r\n$10\r\n1")


def test_the_commands_of_the_server_are_described(client: RawClient) -> None:
    count = int(client.command("COMMAND", "COUNT")[1:])
    assert count > 200
    assert client.command("COMMAND").startswith(b"*%d\r\n*" % count)
    assert b"$3\r\nget\r\n:2\r\n" in client.command("COMMAND", "INFO", "get")
    assert client.command("COMMAND", "DOCS", "get").startswith(b"*")


def test_a_large_value_goes_both_ways(client: RawClient, direct: RawClient) -> None:
    value = bytes(range(256)) * 40_000
    assert client.command("SET", "large", value) == b"+OK\r\n"
    assert client.command("GET", "large") == b"$%d\r\n%s\r\n" % (len(value), value)
    assert client.command("STRLEN", "large") == b":%d\r\n" % len(value)


def test_a_command_of_many_arguments(client: RawClient) -> None:
    pairs = [part for number in range(5_000) for part in (f"key:{number}", number)]
    assert client.command("MSET", *pairs) == b"+OK\r\n"
    reply = client.command("MGET", *(f"key:{number}" for number in range(5_000)))
    assert reply == b"*5000\r\n" + b"".join(b"$%d\r\n%d\r\n" % (len(str(number)), number) for number in range(5_000))
    assert client.command("DEL", *(f"key:{number}" for number in range(5_000))) == b":5000\r\n"
