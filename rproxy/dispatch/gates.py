"""What stands between a command and its plan: a gate for each state of a session, in the order in which Redis looks."""

from __future__ import annotations

from collections.abc import Callable

from rproxy.dispatch import client_pause, monitor, pubsub, transaction
from rproxy.dispatch.authentication import require_authentication, require_permission
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.session import State

Gate = Callable[[Command, Context], bool]
"""True if the command goes no further: it was answered, queued, or waits. ``command.sink`` may be replaced."""

GATES: dict[State, Gate] = {
    State.UNAUTHENTICATED: require_authentication,
    State.RESTRICTED: require_permission,
    State.SUBSCRIBED: pubsub.gate,
    State.PAUSED: client_pause.gate,
    State.MONITORED: monitor.gate,
    State.IN_TRANSACTION: transaction.gate,
}
"""The gate of each state, in the order of ``processCommand`` in Redis's ``server.c``."""


def stop(command: Command, context: Context) -> bool:
    """Whether a gate of the command's session stops it."""
    states = command.session.states
    return any(state in states and gate(command, context) for state, gate in GATES.items())
