"""Pub/sub as a scripted node does it, and what it says."""

from __future__ import annotations

from rproxy.resp import encode
from tests.support.fake_node import Answer, Command, FakeNode, Peer

VERBS = [prefix + verb for prefix in ("", "P", "S") for verb in ("SUBSCRIBE", "UNSUBSCRIBE")]


def push(*elements: str | bytes | int) -> bytes:
    """A push as RESP2 has it: an array of bulk strings and integers."""
    encoded = [element.encode() if isinstance(element, str) else element for element in elements]
    return encode.reply(encoded)


def push_3(*elements: str | bytes | int) -> bytes:
    """A push as RESP3 has it."""
    return b">" + push(*elements)[1:]


def confirm(command: Command) -> bytes:
    """The confirmation of a command that subscribes to one topic or ends one subscription."""
    return push(command[0].lower(), command[1], 1)


def pubsub_answers() -> dict[str, Answer]:
    """The answers of a node that confirms everything at once."""
    return {**dict.fromkeys(VERBS, confirm), "PING": push("pong", "")}


def subscriber(node: FakeNode) -> Peer:
    """The last connection to ``node`` on which something was subscribed to."""
    return next(peer for peer in reversed(node.peers) if any(b"subscribe" in command[0] for command in peer.commands))


def asked(node: FakeNode) -> list[tuple[str, ...]]:
    """What was subscribed to at ``node``, and what no more, in order."""
    return [tuple(word.decode() for word in command) for command in node.received if b"subscribe" in command[0]]
