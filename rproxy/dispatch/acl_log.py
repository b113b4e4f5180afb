"""What was denied, newest first: the entries of ACL LOG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rproxy.resp.encode import Value

MOST = 128
"""Entries kept: the default of Redis's ``acllog-max-len``."""
_SAME_FOR = 60.0
"""Seconds in which denials that are alike become one entry (``ACL_LOG_GROUPING_MAX_TIME_DELTA``)."""
_LOOK_BACK = 10
"""Entries that are searched for one that is alike."""


PlainEntry = list[Any]
"""When, how often, and the texts of an entry, as one worker sends it to another."""


@dataclass(slots=True)
class Entry:
    """``count`` denials of the same kind; ``at`` is the Unix time of the last."""

    reason: bytes
    context: bytes
    subject: bytes
    user: bytes
    at: float
    client: bytes
    count: int = 1

    def is_like(self, other: Entry) -> bool:
        """Whether both are one entry."""
        mine, theirs = (self.reason, self.context, self.subject, self.user), other
        return mine == (theirs.reason, theirs.context, theirs.subject, theirs.user) and other.at - self.at <= _SAME_FOR

    def plain(self) -> PlainEntry:
        """The entry as JSON can have it."""
        texts = (self.reason, self.context, self.subject, self.user, self.client)
        return [self.at, self.count, *(text.decode("latin-1") for text in texts)]

    def describe(self, now: float) -> Value:
        """The entry as ACL LOG shows it."""
        shown: dict[bytes, Value] = {
            b"count": self.count,
            b"reason": self.reason,
            b"context": self.context,
            b"object": self.subject,
            b"username": self.user,
            b"age-seconds": round(max(now - self.at, 0.0), 3),
            b"client-info": self.client,
        }
        return shown


class AclLog:
    """The denials of one worker's listener; ``counts`` has all there were, by reason."""

    __slots__ = ("_entries", "counts")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Note a denial."""
        self.counts[entry.reason.decode()] += 1
        for position, known in enumerate(self._entries[:_LOOK_BACK]):
            if known.is_like(entry):
                entry.count += known.count
                del self._entries[position]
                break
        self._entries.insert(0, entry)
        del self._entries[MOST:]

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()

    def newest(self, count: int) -> Iterator[Entry]:
        """Up to ``count`` entries."""
        return islice(self._entries, max(count, 0))


def merged(logs: Iterable[Iterable[PlainEntry]]) -> AclLog:
    """One log of those of several workers."""
    log = AclLog()
    for at, count, *texts in sorted(entry for entries in logs for entry in entries):
        reason, context, subject, user, client = (text.encode("latin-1") for text in texts)
        log.add(Entry(reason, context, subject, user, at, client, count))
    return log
