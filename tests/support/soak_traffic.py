"""What the clients of the soak do: a kind of traffic for every number, each with keys of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain

from tests.support.soak_client import Answer, Client, Command, value_of
from tests.support.soak_verdict import Outcome

BIG = (200_000, 200_000, 200_000, 1_200_000, 200_000, 200_000, 200_000, 2_000_000)
"""Bytes that big values have more than others, in turn; those above 1 MiB are relayed in pieces."""
BLOCKS = "10"
"""Seconds for which a client blocks at most; somebody pushes long before."""
_PUSH = "redis.call('RPUSH', KEYS[1], ARGV[1]) return ARGV[1]"


async def _plain(client: Client, key: str, number: int) -> None:
    await _set_and_get(client, f"{key}v", [number])


async def _pipeline(client: Client, key: str, number: int) -> None:
    await _set_and_get(client, f"{key}p", [number * 10 + index for index in range(10)])


async def _big(client: Client, key: str, number: int) -> None:
    await _set_and_get(client, f"{key}b", [number], BIG[number // len(KINDS) % len(BIG)])


async def _set_and_get(client: Client, name: str, numbers: list[int], more: int = 0) -> None:
    """Each number is written and read, in one pipeline; so is what was there before."""
    commands: list[Command] = [("GET", name)]
    for number in numbers:
        commands += [("SET", name, value_of(name, number, more)), ("GET", name)]
    client.set_and_got(name, numbers, await client.ask(*commands))


async def _split(client: Client, key: str, number: int) -> None:
    """Keys of many slots in one command: an error may leave some of them written."""
    names = [f"{key[1:-1]}:{index}" for index in range(12)]
    pairs = chain.from_iterable((name, value_of(name, number)) for name in names)
    written, read = await client.ask(("MSET", *pairs), ("MGET", *names))
    client.expect("MSET", written, b"OK")
    each = written if written.is_done else written._replace(outcome=Outcome.MAYBE)
    for name in names:
        client.wrote(name, number, each)
    if read.is_done and len(read.value) != len(names):
        client.journal.wrong.append(f"MGET of {len(names)}: {len(read.value)}")
    elif read.is_done:
        for name, value in zip(names, read.value, strict=True):
            client.read(name, value, read.ended)


async def _transaction(client: Client, key: str, number: int) -> None:
    """Two places that grow together, every other time under WATCH, which nobody disturbs."""
    tokens, count, token = f"{key}t", f"{key}c", str(number)
    is_watched = number // len(KINDS) % 2 == 0
    if is_watched and not (await client.ask(("WATCH", tokens, count)))[0].is_done:
        is_watched = False
    begun, *queued, done = await client.ask(("MULTI",), ("RPUSH", tokens, token), ("INCR", count), ("EXEC",))
    client.expect("MULTI", begun, b"OK")
    for answer in queued:
        client.expect("queued", answer, b"QUEUED")
    if done.is_done and done.value is None and is_watched:
        client.journal.unwatched.append(done.ended)
        done = done._replace(outcome=Outcome.NOT)
    elif done.is_done and not (isinstance(done.value, list) and len(done.value) == 2 and len({*done.value}) == 1):
        client.journal.wrong.append(f"EXEC {tokens}: {done.value!r}")
    client.added(tokens, "list", token, done)


async def _blocking(client: Client, key: str, number: int) -> None:
    """Block on a list, and be woken by somebody else."""
    name, token = f"{key}q", str(number)

    async def push() -> Answer:
        await asyncio.sleep(client.draw.uniform(0.0, 0.05))
        return (await client.partner.ask([("RPUSH", name, token)]))[0]

    pushing = asyncio.create_task(push())
    answer = (await client.ask(("BLPOP", name, BLOCKS)))[0]
    pushed = await pushing
    client.added(name, "list", token, pushed)
    if answer.outcome is Outcome.MAYBE:
        client.popped(name, "", answer)
    elif answer.is_done and answer.value is None:
        if pushed.is_done:
            client.journal.starved.append((answer.began, answer.ended))
    elif answer.is_done:
        client.expect("BLPOP", answer, [name.encode(), answer.value[1]])
        client.popped(name, answer.value[1].decode(), answer)


async def _script(client: Client, key: str, number: int) -> None:
    token = str(number)
    answer = (await client.ask(("EVAL", _PUSH, "1", f"{key}e", token)))[0]
    client.expect("EVAL", answer, token.encode())
    client.added(f"{key}e", "list", token, answer)


async def _types(client: Client, key: str, number: int) -> None:
    """A token for a value of each type."""
    token = str(number)
    places = [(f"{key}l", "list"), (f"{key}s", "set"), (f"{key}h", "hash"), (f"{key}x", "stream")]
    pushed, *ones, entry = await client.ask(
        ("RPUSH", f"{key}l", token),
        ("SADD", f"{key}s", token),
        ("HSET", f"{key}h", token, "1"),
        ("XADD", f"{key}x", "*", "token", token),
    )
    for answer in ones:
        client.expect("SADD, HSET", answer, 1)
    for (name, kind), answer in zip(places, [pushed, *ones, entry], strict=True):
        client.added(name, kind, token, answer)


async def _counter(client: Client, key: str, number: int) -> None:
    for answer in await client.ask(*[("INCR", f"{key}n")] * (1 + number % 3)):
        client.counted(f"{key}n", answer)


async def _subscription(client: Client, key: str, number: int) -> None:
    """Enter subscriber mode and leave it."""
    channel = f"{key}:{number}"
    answer = (await client.ask(("SUBSCRIBE", channel)))[0]
    client.expect("SUBSCRIBE", answer, [b"subscribe", channel.encode(), 1])
    if answer.is_done:
        answer = (await client.ask(("UNSUBSCRIBE", channel)))[0]
        client.expect("UNSUBSCRIBE", answer, [b"unsubscribe", channel.encode(), 0])


Kind = Callable[[Client, str, int], Awaitable[None]]
KINDS: tuple[Kind, ...] = (
    _plain,
    _pipeline,
    _split,
    _transaction,
    _blocking,
    _script,
    _big,
    _types,
    _counter,
    _subscription,
)
"""The kinds of traffic, in turn."""


async def go_round(client: Client, key: str, number: int) -> None:
    """Do what a number is for, with the keys that begin with ``{key}``."""
    await KINDS[number % len(KINDS)](client, f"{{{key}}}", number)
