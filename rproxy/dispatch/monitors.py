"""Who monitors a listener: the clients of this worker that do, and the workers that have such clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rproxy.dispatch.session import Session, State


class Monitors:
    """``audience`` counts, by worker id, the clients there that monitor; ``here`` are those of this worker, by id.

    While anyone monitors, every session is ``State.MONITORED``, so that its commands pass the gate.
    """

    __slots__ = ("audience", "here")

    def __init__(self) -> None:
        self.audience: Counter[int] = Counter()
        self.here: dict[int, Session] = {}

    def watch(self, session: Session) -> None:
        """A client has come: have its commands shown, if anyone monitors."""
        if self.audience:
            session.enter(State.MONITORED)

    def set_audience(self, worker_id: int, count: int, sessions: Iterable[Session]) -> None:
        """A worker has so many clients now that monitor."""
        self.audience[worker_id] = count
        self.audience = +self.audience
        for session in sessions:
            (session.enter if self.audience else session.leave)(State.MONITORED)
