"""Clients that are subscribing: what is published after they asked waits until they listen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rproxy.upstream.subscription import Claim, Topic


class Expected:
    """The claims of clients that do not listen yet, each with the messages that wait for it."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Claim, list[_Message]] = {}

    def add(self, claim: Claim) -> None:
        """A client has asked."""
        self._waiting[claim] = []

    def remove(self, claim: Claim) -> None:
        """It listens, or will not. Does nothing a second time."""
        for message in self._waiting.pop(claim, ()):
            message.missing -= 1
            if message.missing == 0:
                message.publish()

    def holds(self, topics: Sequence[Topic], publish: Callable[[], None]) -> bool:
        """Whether clients are awaited that will hear of ``topics``; then ``publish`` is called once none of them is.

        It is called in bounded time, since a claim is: who publishes waits only for those who asked before.
        """
        waiting = self._waiting.items()
        lines = [line for claim, line in waiting if any(map(claim.subscription.hears, topics))]
        message = _Message(publish, len(lines))
        for line in lines:
            line.append(message)
        return bool(lines)


class _Message:
    """``missing`` is how many claims it waits for."""

    __slots__ = ("missing", "publish")

    def __init__(self, publish: Callable[[], None], missing: int) -> None:
        self.publish = publish
        self.missing = missing
