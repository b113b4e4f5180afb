"""A session on its way to another process: what is remembered of a client, as plain data, and back."""

from __future__ import annotations

from typing import Any

from rproxy.dispatch import authentication, pubsub
from rproxy.dispatch.context import Context
from rproxy.dispatch.session import Session, State
from rproxy.upstream.subscription import Kind

Described = dict[str, Any]
"""JSON-able; bytes go as Latin-1 text."""

_MOVABLE = State.UNAUTHENTICATED | State.RESTRICTED | State.SUBSCRIBED | State.MONITORED


def is_movable(session: Session, context: Context, *, may_wait: bool = False) -> bool:
    """Whether everything that is remembered of the client can be told: not of one in the middle of something."""
    is_waiting = session.unblock is not None and not may_wait
    is_busy = session.transaction is not None or session.watch is not None or is_waiting
    is_listening = session.id in context.monitors.here or session.skips_reply
    return not (is_busy or is_listening or session.is_quitting or session.states & ~_MOVABLE)


def describe(session: Session) -> Described:
    """What has to be known of the client to go on with it elsewhere."""
    subscriber = session.subscriber
    topics = (
        {kind.name: [name.decode("latin-1") for name in subscriber.names(kind)] for kind in Kind} if subscriber else {}
    )
    return {
        "id": session.id,
        "protocol": session.protocol,
        "created": session.created,
        "user": None if State.UNAUTHENTICATED in session.states else session.user.name.decode("latin-1"),
        "name": session.name.decode("latin-1"),
        "library": [session.library_name.decode("latin-1"), session.library_version.decode("latin-1")],
        "marks": sorted(session.marks),
        "topics": topics,
    }


def restore(session: Session, described: Described, context: Context) -> None:
    """Have a client that has just come be what ``describe`` told. One that cannot be is closed."""
    session.speak(described["protocol"])
    session.name = described["name"].encode("latin-1")
    session.library_name, session.library_version = (text.encode("latin-1") for text in described["library"])
    session.marks.update(described["marks"])
    if described["user"] is not None:
        authentication.resume(session, described["user"].encode("latin-1"), context.users)
    for kind, names in described["topics"].items():
        for name in names:
            pubsub.resume(session, Kind[kind], name.encode("latin-1"), context)
