"""Redirections: the errors of a node that are about where or when to send a request, not about the request.

Their form is the cluster specification's ("Redirection and resharding") and that of Redis's shared error texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from rproxy.resp import encode
from rproxy.resp.decode import decode
from rproxy.topology.announced import announced_endpoint
from rproxy.topology.slots import SLOT_COUNT
from rproxy.topology.snapshot import Endpoint


class RedirectionKind(Enum):
    """What a redirection asks for; the value names it in metrics."""

    MOVED = "moved"
    """Another node serves the slot from now on."""
    ASK = "ask"
    """Another node may have the keys: ask it this once."""
    TRYAGAIN = "tryagain"
    """The keys of a multi-key command are spread over two nodes while their slot moves."""
    CLUSTERDOWN = "clusterdown"
    """The node sees the cluster, or the slot, unserved."""
    LOADING = "loading"
    """The node still loads its data."""
    MASTERDOWN = "masterdown"
    """A replica has lost its primary and may not answer with old data."""
    READONLY = "readonly"
    """A write reached a node that has become a replica."""

    @property
    def has_target(self) -> bool:
        """Whether the redirection names another endpoint; one that does not is sent again a little later."""
        return self in (RedirectionKind.MOVED, RedirectionKind.ASK)

    @property
    def is_passing(self) -> bool:
        """Whether a node that refuses a command for it may execute the next one of the same keys."""
        return not self.has_target and self is not RedirectionKind.TRYAGAIN

    @property
    def is_of_the_node(self) -> bool:
        """Whether any other node that has the slot may well answer a read."""
        return self in (RedirectionKind.LOADING, RedirectionKind.MASTERDOWN)


ASKING = encode.command([b"ASKING"])
"""What a command follows to a node that imports its slot ("ASK redirection" in the cluster specification)."""
_SCRIPT = re.compile(rb"(?:\*\d+\r\n\$\d+\r\n)?\s*(?:EVAL|FCALL)", re.IGNORECASE)
_KINDS = {kind.name.encode(): kind for kind in RedirectionKind}


@dataclass(frozen=True, slots=True)
class Redirection:
    """A redirection that was understood. ``slot`` is -1 and ``endpoint`` the asked node where none is named."""

    kind: RedirectionKind
    slot: int
    endpoint: Endpoint


def classify(line: bytes, asked: Endpoint) -> Redirection | None:
    """Read the error ``line`` of node ``asked``, with or without its ``-`` and line end; ``None`` for other errors.

    Whatever the bytes are, nothing is raised: a MOVED that makes no sense is an ordinary error.
    """
    words = line.removeprefix(b"-").split()
    kind = _KINDS.get(words[0]) if words else None
    if kind is None:
        return None
    if not kind.has_target:
        return Redirection(kind, -1, asked)
    if len(words) != 3:
        return None
    slot = _number(words[1])
    host, colon, port = words[2].rpartition(b":")
    endpoint = announced_endpoint(host.removeprefix(b"[").removesuffix(b"]"), _number(port), asked) if colon else None
    if endpoint is None or not 0 <= slot < SLOT_COUNT:
        return None
    return Redirection(kind, slot, endpoint)


def runs_script(command: bytes) -> bool:
    """Whether the reply to ``command``, as it stands on the wire, may be the words of a script, errors included."""
    return _SCRIPT.match(command) is not None


def first_key_of_script(command: bytes) -> bytes | None:
    """The first key of a ``command`` that runs a script; ``None`` if it has none, or is inline."""
    words = decode(command) if command.startswith(b"*") else []
    return words[3] if len(words) > 3 and _number(words[2]) > 0 else None


def _number(text: bytes) -> int:
    """A slot or port of at most five digits, -1 for anything else."""
    return int(text) if text.isdigit() and len(text) <= 5 else -1
