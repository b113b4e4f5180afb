"""Replies as trees, and the comparisons that are not byte for byte, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Tree = tuple[bytes, Any]
"""The type byte, and the text or the elements."""

_COUNTED = {b"*": 1, b"~": 1, b">": 1, b"%": 2}
_BULK = (b"$", b"=", b"!")


def parse(data: bytes) -> Tree:
    """An encoded RESP2 or RESP3 reply as a tree."""
    return _parse(data, 0)[0]


def _parse(data: bytes, at: int) -> tuple[Tree, int]:
    end = data.index(b"\r\n", at)
    kind, head, end = data[at : at + 1], data[at + 1 : end], end + 2
    if kind in _BULK and head != b"-1":
        size = int(head)
        return (kind, data[end : end + size]), end + size + 2
    if kind not in _COUNTED or head == b"-1":
        return (kind, head), end
    elements = []
    for _ in range(int(head) * _COUNTED[kind]):
        element, end = _parse(data, end)
        elements.append(element)
    return (kind, elements), end


Compare = Callable[[bytes, bytes], bool]


@dataclass(frozen=True)
class Rule:
    """How the replies to a command are compared, and why not byte for byte."""

    reason: str
    is_same: Compare


def in_any_order(one: bytes, other: bytes) -> bool:
    """The same elements."""
    return _elements(parse(one)) == _elements(parse(other))


def pairs_in_any_order(one: bytes, other: bytes) -> bool:
    """The same pairs, flat as RESP2 has them or as a map."""
    return _pairs(parse(one)) == _pairs(parse(other))


def page_in_any_order(one: bytes, other: bytes) -> bool:
    """The same elements where the page is a whole iteration, else a cursor and some elements."""
    (kind, (cursor, page)), (other_kind, (other_cursor, other_page)) = parse(one), parse(other)
    if kind != other_kind or _shape(cursor) != _shape(other_cursor):
        return False
    is_whole = cursor == other_cursor == (b"$", b"0")
    return _elements(page) == _elements(other_page) if is_whole else True


def of_one_shape(one: bytes, other: bytes) -> bool:
    """The same types and lengths, whatever the values."""
    return bool(_shape(parse(one)) == _shape(parse(other)))


def of_one_form(one: bytes, other: bytes) -> bool:
    """The same type."""
    return one[:1] == other[:1]


def nearly(one: bytes, other: bytes) -> bool:
    """The same but for numbers, which may differ by 30,000: half a minute in milliseconds."""
    return _is_near(parse(one), parse(other))


def _elements(tree: Tree) -> tuple[bytes, Counter[str]]:
    kind, value = tree
    return kind, Counter(map(repr, value)) if isinstance(value, list) else Counter([repr(value)])


def _pairs(tree: Tree) -> tuple[bytes, Counter[str]]:
    kind, value = tree
    if not isinstance(value, list):
        return _elements(tree)
    return kind, Counter(map(repr, zip(value[::2], value[1::2], strict=True)))


def _shape(tree: Tree) -> Any:
    kind, value = tree
    return (kind, [_shape(element) for element in value]) if isinstance(value, list) else kind


def _is_near(one: Tree, other: Tree) -> bool:
    (kind, value), (other_kind, other_value) = one, other
    if kind != other_kind:
        return False
    if isinstance(value, list):
        return len(value) == len(other_value) and all(map(_is_near, value, other_value))
    if kind == b":":
        return abs(int(value) - int(other_value)) <= 30_000
    return bool(value == other_value)


_CLOCK = Rule("the servers read their clocks one after the other", nearly)
_UNORDERED = Rule("every server has a hash seed of its own, which gives its order", in_any_order)
_RANDOM = Rule("drawn at random", of_one_shape)
_SCAN = Rule("as an order; and where one page does not hold all, what it holds", page_in_any_order)
_PAGE = Rule("what lies behind a cursor is different in every server", of_one_form)
_DUMP = Rule("sets and hashes are dumped in their order", of_one_shape)
_PAIRS = Rule("every server has a hash seed of its own, which gives its order", pairs_in_any_order)

RULES: dict[str, Rule] = {
    **dict.fromkeys(("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "OBJECT IDLETIME"), _CLOCK),
    **dict.fromkeys(("XPENDING", "XINFO CONSUMERS", "XINFO STREAM", "TIME"), _CLOCK),
    **dict.fromkeys(("SMEMBERS", "SUNION", "SDIFF", "SINTER", "HKEYS", "HVALS", "KEYS"), _UNORDERED),
    "DUMP": _DUMP,
    "HGETALL": _PAIRS,
    **dict.fromkeys(("SSCAN", "HSCAN", "ZSCAN"), _SCAN),
    **dict.fromkeys(("SPOP", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER", "RANDOMKEY"), _RANDOM),
    "MEMORY USAGE": Rule("a cluster's node keeps the keys of a slot in a list, which takes memory", of_one_shape),
}
"""The rules by command, or by container and subcommand. All other replies, and all errors, are equal byte for byte."""


def is_same(command: Sequence[bytes], one: bytes, other: bytes) -> bool:
    """Whether two replies to ``command`` are the same as its rule has it."""
    if one == other:
        return True
    if one.startswith(b"-") or other.startswith(b"-"):
        # Of several errors, a cluster's node tells this one first.
        return one.startswith(b"-") and other.startswith(b"-CROSSSLOT ")
    rule = _rule_of([word.decode(errors="replace").upper() for word in command])
    return rule is not None and rule.is_same(one, other)


def _rule_of(words: Sequence[str]) -> Rule | None:
    if RULES.get(words[0]) is _SCAN and words[2] != "0":
        return _PAGE
    return RULES.get(words[0]) or RULES.get(" ".join(words[:2]))
