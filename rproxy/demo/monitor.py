"""Which commands a Redis process sees, from its own ``MONITOR``."""

from __future__ import annotations

import re
import uuid
from types import TracebackType
from typing import NamedTuple, Self

from rproxy.demo.redis_process import RedisProcess

_CLIENT = re.compile(r"\[\d+ ([^ ]*)\] ")
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"')


class SeenCommand(NamedTuple):
    """A command as MONITOR shows it: the name in lower case, the arguments with Redis's escapes left in.

    ``client`` is the address of who sent it; a replica sees its primary's address for what is replicated.
    """

    name: str
    arguments: tuple[str, ...]
    client: str = ""


def parse_line(line: bytes) -> SeenCommand:
    """A line of MONITOR: ``1339518083.107412 [0 127.0.0.1:60866] "set" "b" "1"``."""
    client, words = _CLIENT.split(line.decode(errors="replace"), maxsplit=1)[1:]
    name, *arguments = _ARGUMENT.findall(words)
    return SeenCommand(name.lower(), tuple(arguments), client)


class Monitor:
    """Watches one node from its creation on. A context manager."""

    def __init__(self, node: RedisProcess) -> None:
        self.node = node
        self._client = node.connect()
        self._client.call("MONITOR")

    def take(self) -> list[SeenCommand]:
        """What the node has executed since the last ``take``, complete: a mark of our own is waited for behind it."""
        mark = uuid.uuid4().hex
        self.node.call("ECHO", mark)
        seen: list[SeenCommand] = []
        while mark not in (command := parse_line(self._client.read())).arguments:
            seen.append(command)
        return seen

    def close(self) -> None:
        """Stop watching."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
