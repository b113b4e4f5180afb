"""Gates stand before the plans, each for the state of a session, in Redis's order."""

from __future__ import annotations

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch import gates
from rproxy.dispatch.command import Command
from rproxy.dispatch.context import Context
from rproxy.dispatch.gates import GATES, stop
from rproxy.dispatch.session import Session, State
from rproxy.resp import encode
from tests.support.dispatch import Dispatch
from tests.support.upstream import Replies


def test_every_state_but_that_of_replies_has_a_gate() -> None:
    assert set(GATES) == set(State) - {State.MUTED}


def test_who_may_not_do_it_is_told_so_before_it_waits_is_shown_or_queued() -> None:
    order = list(GATES)
    places = [State.UNAUTHENTICATED, State.RESTRICTED, State.PAUSED, State.MONITORED, State.IN_TRANSACTION]
    assert [state for state in order if state in places] == places


async def test_the_gates_of_its_states_are_asked_in_order_until_one_stops_it(
    dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[State] = []

    def gate(state: State, stops: bool) -> gates.Gate:
        def look(command: Command, context: Context) -> bool:
            asked.append(state)
            return stops

        return look

    first, second, third, fourth = states = list(State)[:4]
    monkeypatch.setattr(gates, "GATES", {state: gate(state, state is third) for state in states})
    session = Session(1, "", "", 0.0)
    for state in (fourth, third, first):
        session.enter(state)
    ping = Command(COMMANDS.get(b"PING"), [b"PING"], encode.command([b"PING"]), session, Replies(), 0)
    assert stop(ping, dispatch.context)
    assert asked == [first, third]
    assert second not in session.states
    session.leave(third)
    assert not stop(ping, dispatch.context)
