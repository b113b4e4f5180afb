"""Thousands of commands drawn from the templates by a seed: good use, and every way of getting it wrong.

A round is a run of commands on a few keys of every type. Its first commands are good, so that there is data; then
arguments are lost, doubled, swapped, or replaced by something hostile. The same seed gives the same corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from tests.conformance.clock import depends_on_clock
from tests.conformance.grammar import expand, parse
from tests.conformance.templates import TEMPLATES
from tests.conformance.words import KEY_KINDS, Words

Command = list[bytes]

_ALL = [(group, template) for group, templates in TEMPLATES.items() for template in templates]
_FILLING = [
    *("SET string value", "SET string int", "RPUSH list element...", "RPUSH list int int", "SADD set member..."),
    *("SADD set 1 2 3", "ZADD zset (score member)...", "HSET hash (field value)...", "HSET hash count int float float"),
    *("XADD stream newid (field value)...", "XGROUP CREATE stream group 0 MKSTREAM", "GEOADD geo (lon lat member)..."),
    *(
        "PFADD hll element...",
        "ZADD zset 1 member 2 member 3 member 4 member",
        "XADD stream 200-* field value",
        "ZADD lexset (0 member)...",
        "SETBIT string bit 1",
    ),
]
_GOOD_AT_FIRST = 60
_SPOILT = 0.3


def round_of(
    seed: int, size: int, *, tag: str = "", payloads: Sequence[bytes] = (), are_keys_apart: bool = False
) -> list[Command]:
    """The ``size`` commands of one round. ``tag`` begins every key. ``are_keys_apart``: one key, or a split command."""
    random = Random(seed)
    words = Words(random, tag, list(payloads))
    templates = [template for _, template in _ALL if not are_keys_apart or _may_have_keys_apart(template)]
    commands: list[Command] = []
    while len(commands) < size:
        is_filling = len(commands) < _GOOD_AT_FIRST or random.random() < 0.1
        template = random.choice(_FILLING if is_filling else templates)
        command = expand(parse(template), random, words.draw)
        if not is_filling and random.random() < _SPOILT:
            command = random.choice(SPOILERS)(command, random, words)
        if not depends_on_clock(command):
            commands += _finished(command)
    return commands


_SPLIT = {"DEL", "EXISTS", "MGET", "MSET", "TOUCH", "UNLINK"}


def _may_have_keys_apart(template: str) -> bool:
    name, *rest = template.replace("(", " ").replace(")", " ").replace("|", " ").replace("...", " ...").split()
    if name in _SPLIT:
        return True
    keys = [word for word in rest if word in KEY_KINDS or word.removesuffix("s") in KEY_KINDS]
    return len(keys) <= 1 and all(word in KEY_KINDS for word in keys) and "..." not in rest[1:2]


def _finished(command: Command) -> Iterator[Command]:
    """The command; what is left of a set that lost members by chance is removed, lest the servers differ for good."""
    yield command
    if command and command[0].upper() == b"SPOP" and len(command) > 1:
        yield [b"DEL", command[1]]


# -- ways to get a command wrong


def _lose(command: Command, random: Random, words: Words) -> Command:
    at = random.randrange(len(command))
    return command if len(command) == 1 else command[: at or 1] + command[(at or 1) + 1 :]


def _cut(command: Command, random: Random, words: Words) -> Command:
    return command[: random.randint(1, len(command))]


def _double(command: Command, random: Random, words: Words) -> Command:
    at = random.randrange(len(command))
    return [*command[: at + 1], *command[max(at, 1) :]] if at else [*command, command[-1]]


def _swap(command: Command, random: Random, words: Words) -> Command:
    if len(command) < 3:
        return command
    swapped = list(command)
    one, other = random.sample(range(1, len(command)), 2)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    return swapped


def _spoil(command: Command, random: Random, words: Words) -> Command:
    at = random.randrange(1, len(command)) if len(command) > 1 else 0
    return [*command[:at], words.hostile(), *command[at + 1 :]] if at else [*command, words.hostile()]


def _spoil_an_operand(command: Command, random: Random, words: Words) -> Command:
    """As ``_spoil``, but the key stays, so that there is a value to be hurt."""
    if len(command) < 3:
        return command
    at = random.randrange(2, len(command))
    return [*command[:at], words.hostile(), *command[at + 1 :]]


def _add(command: Command, random: Random, words: Words) -> Command:
    return [*command, words.hostile()]


def _other_case(command: Command, random: Random, words: Words) -> Command:
    return [random.choice((command[0].lower(), command[0].title())), *command[1:]]


def _small_options(command: Command, random: Random, words: Words) -> Command:
    return [command[0], *(word.lower() if word.isalpha() and word.isupper() else word for word in command[1:])]


SPOILERS: tuple[Callable[[Command, Random, Words], Command], ...] = (
    *(_lose, _cut, _double, _swap, _spoil, _spoil_an_operand, _spoil_an_operand, _add, _other_case, _small_options),
)
"""What may happen to a command."""
