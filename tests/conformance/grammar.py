"""A notation for commands, and random commands drawn from it.

``SET string value [NX|XX] [EX seconds|PX ms]``: words in upper case stand for themselves, words in lower case for a
drawn argument of that kind, ``[]`` for what may be left out, ``|`` for a choice, ``()`` for a group, ``...`` for one to
four of what precedes it. What may be left out comes in any order where several such groups follow one another.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

Draw = Callable[[str], list[bytes]]
"""The arguments of a kind: one, or several for a kind like ``sets`` (a number and so many keys)."""

_TOKEN = re.compile(r"\.\.\.|[\[\]()|]|[^\s\[\]()|.]+")
_MOST = 4


@dataclass(frozen=True)
class Node:
    """A part of a template: ``shape`` is word, choice, sequence, optional or repeat."""

    shape: str
    word: str = ""
    parts: tuple[Node, ...] = ()


@cache
def parse(template: str) -> Node:
    """The template as a tree."""
    tokens = _TOKEN.findall(template)
    node, end = _choice(tokens, 0)
    if end != len(tokens):
        raise ValueError(f"{template!r} has a bracket too many")
    return node


def _choice(tokens: list[str], at: int) -> tuple[Node, int]:
    node, at = _sequence(tokens, at)
    choices = [node]
    while at < len(tokens) and tokens[at] == "|":
        node, at = _sequence(tokens, at + 1)
        choices.append(node)
    return (choices[0] if len(choices) == 1 else Node("choice", parts=tuple(choices))), at


def _sequence(tokens: list[str], at: int) -> tuple[Node, int]:
    parts: list[Node] = []
    while at < len(tokens) and tokens[at] not in ("]", ")", "|"):
        token = tokens[at]
        if token == "...":
            parts[-1] = Node("repeat", parts=(parts[-1],))
        elif token in ("[", "("):
            inner, at = _choice(tokens, at + 1)
            parts.append(Node("optional", parts=(inner,)) if token == "[" else inner)
        else:
            parts.append(Node("word", token))
        at += 1
    return Node("sequence", parts=tuple(parts)), at


def expand(node: Node, random: Random, draw: Draw) -> list[bytes]:
    """Random arguments of the form ``node``."""
    match node.shape:
        case "word":
            return draw(node.word) if node.word.islower() else [node.word.encode()]
        case "choice":
            return expand(random.choice(node.parts), random, draw)
        case "optional":
            return expand(node.parts[0], random, draw) if random.random() < 0.4 else []
        case "repeat":
            return [word for _ in range(random.randint(1, _MOST)) for word in expand(node.parts[0], random, draw)]
    return [word for part in _mixed(node.parts, random) for word in expand(part, random, draw)]


def _mixed(parts: tuple[Node, ...], random: Random) -> list[Node]:
    """The parts, their options now and then in another order."""
    ordered = list(parts)
    places = [place for place, part in enumerate(parts) if part.shape == "optional"]
    if places and places[-1] - places[0] == len(places) - 1 and random.random() < 0.3:
        random.shuffle(options := [parts[place] for place in places])
        ordered[places[0] : places[-1] + 1] = options
    return ordered
