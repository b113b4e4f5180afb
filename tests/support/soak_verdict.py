"""What the clients of a soak were told, and whether that is right: pure, so that it can be tested without a soak.

Clients write down what they did. Afterwards that is judged against the spans in which something was broken, each of
which says what it explains, and against what the nodes hold at the end.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from rproxy.topology.slots import hash_slot
from rproxy.upstream.failure import Failure

REPLICATED = 1.0
"""Seconds before a primary is lost: what was acknowledged earlier has reached its replica."""
LATE = 30.0
"""Seconds for which a write of unknown outcome may still be executed: it may lie in the buffers of a hanging node."""
ON_ITS_WAY = 0.25
"""Seconds after its publisher was answered for which a message may still be on its way to a subscriber, and be lost."""
STARVED = 0.5
"""Seconds after a trouble in which a client that blocked during it may still see its time run out."""


class Outcome(Enum):
    """Whether a command was executed, as far as its client can know."""

    DONE = "done"
    MAYBE = "maybe"
    NOT = "not"


_NOT_EXECUTED = re.compile("not executed|not known yet|^CLUSTERDOWN|^EXECABORT|^UNBLOCKED")


def outcome_of(error: str) -> Outcome:
    """What an error says of the command; an empty one is a reply that is none."""
    if not error:
        return Outcome.DONE
    return Outcome.NOT if _NOT_EXECUTED.search(error) else Outcome.MAYBE


@dataclass(frozen=True, slots=True)
class Excuse:
    """An error that a trouble explains: its text, how long a command must have waited for it at ``least``, and how
    long after the trouble began it may have been sent at ``most``, in seconds.
    """

    text: re.Pattern[str]
    least: float = 0.0
    most: float = float("inf")

    @classmethod
    def of(cls, failure: Failure, least: float = 0.0, most: float = float("inf")) -> Excuse:
        """For the error of a row of the failure table."""
        text = re.sub(r"\\{(place|reason)\\}", ".*", re.escape(failure.text))
        return cls(re.compile(text), least, most)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A span of time in which something was broken, and what it explains.

    ``lost`` are the slots whose last acknowledged writes may be missing, since replication is not synchronous;
    ``breaks``: clients may lose their connections; ``repeats``: subscribers may hear a message twice.
    """

    kind: str
    began: float
    ended: float
    excuses: tuple[Excuse, ...] = ()
    lost: Collection[int] = ()
    breaks: bool = False
    repeats: bool = False

    def overlaps(self, began: float, ended: float) -> bool:
        """Whether a span of time has anything of it."""
        return self.began <= ended and began <= self.ended

    def may_have_lost(self, key: str, at: float) -> bool:
        """Whether a write to ``key`` that was acknowledged then may be missing."""
        return self.began - REPLICATED <= at <= self.ended and hash_slot(key.encode()) in self.lost


class Failed(NamedTuple):
    """A command that was answered with an error."""

    command: tuple[str, ...]
    began: float
    ended: float
    error: str


class Write(NamedTuple):
    """A value given to a key: its number, which grows, or 0 for none."""

    number: int
    began: float
    ended: float
    outcome: Outcome


class Read(NamedTuple):
    """A reply that is not the last acknowledged value: the number in it, and what had been written until then."""

    key: str
    number: int
    at: float
    writes: tuple[Write, ...]


class Place(NamedTuple):
    """A key that tokens are added to, and its type as ``TYPE`` says it."""

    key: str
    type: str


class Addition(NamedTuple):
    """A token that was added to a place."""

    place: Place
    token: str
    began: float
    ended: float
    outcome: Outcome


class Pop(NamedTuple):
    """A token that was taken from a list; an empty one if it is unknown what was taken, if anything."""

    key: str
    token: str
    began: float
    ended: float


@dataclass
class Session:
    """What one connection heard from the moment it was subscribed: ``(channel, number, when)`` in order."""

    name: str
    began: float = float("inf")
    ended: float = float("inf")
    heard: list[tuple[str, int, float]] = field(default_factory=list)


class Published(NamedTuple):
    """A numbered message. ``is_sure``: the publisher was told that it went out."""

    channel: str
    number: int
    began: float
    ended: float
    is_sure: bool


@dataclass
class Journal:
    """What all clients were told. ``wrong`` has, in words, what nothing can explain."""

    commands: int = 0
    failed: list[Failed] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unwatched: list[float] = field(default_factory=list)
    """When a watched transaction was not executed though nobody had changed its key."""
    starved: list[tuple[float, float]] = field(default_factory=list)
    """Spans in which a client blocked in vain, though something was pushed for it."""
    broken: list[tuple[float, str]] = field(default_factory=list)
    """When a connection was closed or gave nonsense, and how."""
    odd: list[Read] = field(default_factory=list)
    fallen: list[tuple[str, float]] = field(default_factory=list)
    """Counters that an addition did not bring above where they had been, and when."""
    additions: list[Addition] = field(default_factory=list)
    pops: list[Pop] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)


def verdict(journal: Journal, troubles: Sequence[Trouble], held: Mapping[Place, Sequence[str]]) -> list[str]:
    """Everything that is not right, in words. ``held`` are the tokens that each place has in the end, in order."""
    return [
        *journal.wrong,
        *(f"unexplained: {failed}" for failed in journal.failed if not is_explained(failed, troubles)),
        *(f"impossible: {read}" for read in journal.odd if not is_possible(read, troubles)),
        *(f"a counter fell: {fall}" for fall in journal.fallen if not _is_fall_of_a_loss(*fall, troubles)),
        *(f"not executed: EXEC at {at}" for at in journal.unwatched if not _within(troubles, at, at)),
        *(f"starved: {span}" for span in journal.starved if not _within(troubles, span[0] - STARVED, span[1])),
        *(f"broken: {how} at {at:.3f}" for at, how in journal.broken if not _within(_breaking(troubles), at, at)),
        *of_additions(journal, troubles, held),
        *of_messages(journal, troubles),
    ]


def _within(troubles: Iterable[Trouble], began: float, ended: float) -> bool:
    return any(trouble.overlaps(began, ended) for trouble in troubles)


def _breaking(troubles: Sequence[Trouble]) -> list[Trouble]:
    return [trouble for trouble in troubles if trouble.breaks]


def is_explained(failed: Failed, troubles: Sequence[Trouble]) -> bool:
    """Whether an error came in a trouble that has this text among its excuses."""
    return any(
        excuse.text.match(failed.error)
        and failed.ended - failed.began >= excuse.least
        and failed.began - trouble.began <= excuse.most
        for trouble in troubles
        if trouble.overlaps(failed.began, failed.ended)
        for excuse in trouble.excuses
    )


def is_possible(read: Read, troubles: Sequence[Trouble]) -> bool:
    """Whether a key may have held what was read: what was acknowledged after it, if anything, went with a lost primary.

    A write of unknown outcome may be executed some time after those that followed it.
    """
    positions = [position for position, write in enumerate(read.writes) if write.number == read.number]
    if read.number and not positions:
        return False
    position = positions[-1] if positions else -1
    origin = read.writes[position] if positions else None
    if origin is not None and origin.outcome is Outcome.NOT:
        return False
    if origin is not None and origin.outcome is Outcome.MAYBE and read.at - origin.began <= LATE:
        return True
    later = [write for write in read.writes[position + 1 :] if write.outcome is Outcome.DONE]
    return all(_was_lost(read.key, write.ended, troubles, read.at) for write in later)


def _was_lost(key: str, at: float, troubles: Sequence[Trouble], seen: float) -> bool:
    """Whether what was acknowledged at a time may be missing when it is looked for, at a later one."""
    return any(trouble.may_have_lost(key, at) and trouble.began <= seen for trouble in troubles)


def _is_fall_of_a_loss(key: str, at: float, troubles: Sequence[Trouble]) -> bool:
    slot = hash_slot(key.encode())
    return any(slot in trouble.lost and trouble.began <= at <= trouble.ended + LATE for trouble in troubles)


def of_additions(journal: Journal, troubles: Sequence[Trouble], held: Mapping[Place, Sequence[str]]) -> list[str]:
    """No token twice, none that was refused or never sent, and everyone that was acknowledged."""
    by_place: dict[Place, list[Addition]] = defaultdict(list)
    for addition in journal.additions:
        by_place[addition.place].append(addition)
    pops: dict[str, list[Pop]] = defaultdict(list)
    for pop in journal.pops:
        pops[pop.key].append(pop)
    complaints: list[str] = []
    for place, additions in by_place.items():
        if place.type == "counter":
            complaints += _of_counter(place, additions, int(held[place][0]), troubles)
            continue
        found = _Found(held[place], pops[place.key], troubles)
        complaints += [f"{place}: {complaint}" for complaint in found.complaints(additions)]
    return complaints


def _of_counter(place: Place, additions: Sequence[Addition], found: int, troubles: Sequence[Trouble]) -> Iterable[str]:
    """A counter has what was acknowledged, and no more than what may have been executed beside it."""
    done = [addition for addition in additions if addition.outcome is Outcome.DONE]
    maybe = sum(addition.outcome is Outcome.MAYBE for addition in additions)
    kept = sum(not _was_lost(place.key, addition.ended, troubles, float("inf")) for addition in done)
    if not kept <= found <= len(done) + maybe:
        yield f"{place} is {found}, of {len(done)} acknowledged, {kept} to be kept, and {maybe} that are unknown"


class _Found:
    """Where the tokens of one place are: still there, or popped."""

    def __init__(self, held: Sequence[str], pops: Sequence[Pop], troubles: Sequence[Trouble]) -> None:
        self._held = held
        self._pops = pops
        self._troubles = troubles
        # A pop that went with its primary gives its token again.
        sure = Counter(pop.token for pop in pops if pop.token and not self._was_undone(pop))
        self._count = Counter(held) + sure
        self._seen = {*held, *(pop.token for pop in pops)}

    def _was_undone(self, pop: Pop) -> bool:
        return any(trouble.may_have_lost(pop.key, pop.ended) for trouble in self._troubles)

    def complaints(self, additions: Sequence[Addition]) -> Iterable[str]:
        """What is not as it should be."""
        yield from (f"{token} is there {count} times" for token, count in self._count.items() if count > 1)
        sent = {addition.token: position for position, addition in enumerate(additions)}
        yield from (f"{token} was never sent" for token in self._seen if token and token not in sent)
        for addition in additions:
            if addition.outcome is Outcome.NOT and addition.token in self._seen:
                yield f"{addition} was executed"
            if addition.outcome is Outcome.DONE and addition.token not in self._seen and not self._is_excused(addition):
                yield f"{addition} is missing"
        done = {addition.token for addition in additions if addition.outcome is Outcome.DONE}
        if additions[0].place.type in ("list", "stream"):
            order = [sent[token] for token in self._held if token in done]
            if order != sorted(order):
                yield "the order is another"

    def _is_excused(self, addition: Addition) -> bool:
        if _was_lost(addition.place.key, addition.ended, self._troubles, float("inf")):
            return True
        return any(not pop.token and pop.ended >= addition.began for pop in self._pops)


def of_messages(journal: Journal, troubles: Sequence[Trouble]) -> list[str]:
    """To every session each message at most once, those of a channel in order, and none left out while all was well."""
    complaints = []
    calm = [
        message
        for message in journal.published
        if message.is_sure and not _within(troubles, message.began, message.ended + ON_ITS_WAY)
    ]
    sent = {(message.channel, message.number) for message in journal.published}
    for session in journal.sessions:
        last: dict[str, int] = {}
        before: set[tuple[str, int]] = set()
        for channel, number, at in session.heard:
            if (channel, number) in before and any(each.repeats and each.overlaps(at, at) for each in troubles):
                continue
            before.add((channel, number))
            if number <= last.get(channel, 0) or (channel, number) not in sent:
                complaints.append(f"{session.name}: {channel} {number} after {last.get(channel, 0)} at {at:.3f}")
            last[channel] = number
        heard = {message[:2] for message in session.heard}
        complaints += [
            f"{session.name} missed {message}"
            for message in calm
            if session.began < message.began and message.ended < session.ended and message[:2] not in heard
        ]
    return complaints


Ask = Callable[..., Any]
READERS: dict[str, Callable[[Ask, str], list[bytes]]] = {
    "counter": lambda ask, key: [ask("GET", key) or b"0"],
    "list": lambda ask, key: list(ask("LRANGE", key, 0, -1)),
    "set": lambda ask, key: list(ask("SMEMBERS", key)),
    "hash": lambda ask, key: list(ask("HKEYS", key)),
    "stream": lambda ask, key: [fields[1] for _, fields in ask("XRANGE", key, "-", "+")],
}
"""How the tokens of a place are read, by its type."""
