"""Random arguments of every kind that a command's template names, good and bad ones."""

from __future__ import annotations

from random import Random

TYPES = ("string", "list", "set", "zset", "hash", "stream", "geo", "hll")
SAME_SCORES = "lexset"
"""A sorted set whose members have one score; the order of others by their names is not defined."""
KEY_KINDS = {*TYPES, SAME_SCORES, "any"}
_UNSORTED = ("string", "list", "set", "hash", "stream")
_KEYS_OF_A_TYPE = 4
_WRONG_TYPE = 0.06

HOSTILE = (
    *(
        b"",
        b"abc",
        b"0",
        b"-0",
        b"-1",
        b"+1",
        b"01",
        b"1.5",
        b" 1",
        b"1 ",
        b"0x10",
        b"1e3",
        b"\0",
        b"\xff\xfe\r\n",
        b"*",
        b"$",
    ),
    *(b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"18446744073709551616"),
    *(b"nan", b"-nan", b"inf", b"-inf", b"+Infinity", b"1e400", b"-1e400", b"1e-400", b"1.7976931348623157e308"),
    *(
        b"(1",
        b"[a",
        b"+",
        b"-",
        b"-1-1",
        b"1-1-1",
        b"18446744073709551615-18446744073709551615",
        b"NX",
        b"GET",
        b"x" * 3000,
    ),
)
"""What clients send by mistake: no number, a number beyond the range, an option in the wrong place, binary, much.

No number between a million and the range's end: some commands would allocate or answer that much.
"""

_PLAIN: dict[str, tuple[bytes, ...]] = {
    "all": (b"100000",),
    "at": (b"99999999999", b"33333333333"),
    "atms": (b"99999999999000", b"33333333333000"),
    "bit": (b"0", b"1", b"7", b"8", b"100", b"#0", b"#3", b"4095"),
    "bits": (b"u1", b"u8", b"i8", b"u63", b"i64", b"i5", b"u64"),
    "bound": (b"-inf", b"+inf", b"0", b"1", b"(1", b"2.5", b"(10", b"-5", b"100"),
    "consumer": (b"alice", b"bob", b"carol"),
    "count": (b"1", b"2", b"3", b"10", b"0", b"100"),
    "element": (b"a", b"b", b"c", b"1", b"22", b"-3", b"4.5", b"", b"\xff\0\r\n", b"long" * 40),
    "field": (b"f1", b"f2", b"f3", b"count", b"float", b"\0\xff", b"", b"field " * 20),
    "float": (b"0.5", b"-1.25", b"3", b"1e2", b"3.0e3", b"-0", b"0.1", b"1e17"),
    "group": (b"g1", b"g2"),
    "id": (b"0", b"0-1", b"1-1", b"2-1", b"3-7", b"5", b"100-1"),
    "idbound": (b"-", b"+", b"0", b"1-1", b"(1-1", b"3", b"100-1"),
    "index": (b"0", b"1", b"2", b"-1", b"-2", b"5", b"-100", b"100"),
    "int": (b"1", b"0", b"-7", b"255", b"1000000", b"9223372036854775807", b"-9223372036854775808"),
    "lat": (b"38.115556", b"37.5", b"0", b"-33.86", b"85.05112878"),
    "lex": (b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[", b"[zz"),
    "lon": (b"13.361389", b"15.087269", b"0", b"151.2", b"-179.9"),
    "member": (b"m1", b"m2", b"m3", b"a", b"b", b"1", b"2", b"17", b"\xfe\0", b"", b"member-" * 12),
    "newid": (b"1-1", b"1-2", b"2-*", b"3-1", b"5-5", b"7-*", b"100-1", b"0-0", b"200-*"),
    "nosort": (b"nosort",),
    "offset": (b"0", b"1", b"2", b"10", b"100", b"-1"),
    "pattern": (b"*", b"m*", b"f?", b"[a-c]", b"none*", b"\\*"),
    "radius": (b"100", b"200.5", b"0", b"5000"),
    "score": (b"1", b"2", b"2", b"-1.5", b"1e10", b"inf", b"-inf", b"0.1", b"3.0", b"1e-7"),
    "sha": (
        b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
        b"E0E1F9FABFC9D4800C877A703B823AC0578FF8DB",
        b"f" * 40,
        b"short",
    ),
    "short": (b"0.001", b"0.002", b"0.0015", b"1e-3"),
    "small": (b"1", b"3", b"10", b"-1", b"-3", b"0"),
    "unit": (b"m", b"km", b"ft", b"mi", b"M"),
    "value": (b"v", b"1", b"-17", b"3.25", b"", b"\0\r\n\xff", b"hello world", b"9223372036854775806", b"v" * 100),
}

_SPANS = {"ms": (1_000_000, 100_000_000), "seconds": (1_000, 100_000)}
_SCRIPTS = (
    b"return 1",
    b"return {KEYS[1], ARGV[1]}",
    b"return {1, 2.9, 'x', false, true, {}}",
    b"return nil",
    b"return redis.call('set', KEYS[1], ARGV[1])",
    b"return redis.call('incr', KEYS[1])",
    b"return redis.pcall('lpush', KEYS[1], ARGV[1])",
    b"return redis.call('type', KEYS[1])",
    b"return redis.error_reply('MINE own')",
    b"return redis.status_reply('FINE')",
    b"return redis.call('nosuch')",
    b"return redis.sha1hex(ARGV[1] or '')",
    b"redis.setresp(3) return redis.call('hgetall', KEYS[1]) and redis.call('hget', KEYS[1], 'float')",
    b"redis.setresp(3) return redis.call('zscore', KEYS[1], 'a')",
    b"return {double=3.25}",
    b"return #ARGV .. ':' .. #KEYS",
    b"syntax error here",
    b"return cjson.encode({1, 2, ARGV[1]})",
    b"error('boom')",
)


class Words:
    """Draws arguments. ``tag`` begins every key; ``payloads`` are replies of DUMP."""

    def __init__(self, random: Random, tag: str, payloads: list[bytes]) -> None:
        self._random = random
        self._tag = tag.encode()
        self._payloads = payloads
        self._plain = dict(_PLAIN) | {"script": _SCRIPTS, "payload": (*payloads, b"garbage")}

    def draw(self, kind: str) -> list[bytes]:
        """The arguments that ``kind`` stands for."""
        if kind in KEY_KINDS:
            if kind == "any" or self._random.random() < _WRONG_TYPE:
                kind = self._random.choice(_UNSORTED if kind == SAME_SCORES else TYPES)
            return [self.key(kind)]
        if kind.removesuffix("s") in KEY_KINDS:
            count = self._random.randint(1, 3)
            return [b"%d" % count, *(key for _ in range(count) for key in self.draw(kind[:-1]))]
        if kind in _SPANS:  # seldom the same twice: which of two such times is later would depend on the clock
            return [b"%d" % self._random.randrange(*_SPANS[kind])]
        return [self._random.choice(self._plain[kind])]

    def key(self, kind: str) -> bytes:
        """A key for values of type ``kind``; one of them has bytes that are no text."""
        number = self._random.randrange(_KEYS_OF_A_TYPE)
        return self._tag + (b"%s:%d" % (kind.encode(), number) if number else b"%s\r\n\0\xff" % kind.encode())

    def hostile(self) -> bytes:
        """An argument that most commands refuse."""
        return self._random.choice(HOSTILE)
