from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rproxy.commands.lookup import COMMANDS
from rproxy.dispatch.command import Command
from rproxy.dispatch.pause import Pause
from rproxy.dispatch.session import Session
from rproxy.dispatch.transaction import Transaction
from tests.support.upstream import Replies


def command(name: str, session: Session | None = None) -> Command:
    spec = COMMANDS.get(name.encode())
    assert spec is not None
    session = session or Session(1, "127.0.0.1:1", "127.0.0.1:2", 0.0)
    return Command(spec, [name.encode()], name.encode(), session, Replies(), 0)


def session(number: int) -> Session:
    return Session(number, "127.0.0.1:1", "127.0.0.1:2", 0.0)


@pytest.fixture
async def pause() -> Any:
    made = Pause()
    yield made
    made.end()


def end_of(pause: Pause) -> float:
    assert pause._timer is not None
    return pause._timer.when() - asyncio.get_running_loop().time()


async def test_of_two_pauses_the_longer_time_and_the_stricter_mode_count(pause: Pause) -> None:
    pause.begin(1000.0, False, pause.end)
    pause.begin(10.0, True, pause.end)
    assert 900 < end_of(pause) <= 1000
    pause.begin(5000.0, False, pause.end)
    assert 4900 < end_of(pause) <= 5000
    assert pause.concerns(command("GET")), "all commands waited before"


async def test_after_its_end_nothing_of_a_pause_is_left(pause: Pause) -> None:
    pause.begin(1000.0, True, pause.end)
    pause.end()
    assert not pause.concerns(command("SET"))
    pause.begin(10.0, False, pause.end)
    assert end_of(pause) <= 10
    assert not pause.concerns(command("GET"))


async def test_an_endless_pause_ends_after_a_year(pause: Pause) -> None:
    pause.begin(9e15, True, pause.end)
    assert end_of(pause) <= 366 * 86400


@pytest.mark.parametrize(
    ("name", "of_writes"), [("SET", True), ("PFCOUNT", True), ("GET", False), ("PING", False), ("EXEC", False)]
)
async def test_which_commands_wait(pause: Pause, name: str, of_writes: bool) -> None:
    assert not pause.concerns(command(name))
    pause.begin(1000.0, False, pause.end)
    assert pause.concerns(command(name)) is of_writes
    pause.begin(1000.0, True, pause.end)
    assert pause.concerns(command(name))


@pytest.mark.parametrize(("queued", "waits"), [(["GET", "SET"], True), (["GET", "TTL"], False), ([], False)])
async def test_a_transaction_waits_for_what_it_does(pause: Pause, queued: list[str], waits: bool) -> None:
    one = session(1)
    one.transaction = Transaction([command(name) for name in queued])
    pause.begin(1000.0, False, pause.end)
    assert pause.concerns(command("EXEC", one)) is waits


async def test_clients_go_on_in_the_order_in_which_they_came_but_for_those_that_left(pause: Pause) -> None:
    gone_on: list[int] = []
    pause.carry_on = lambda waiting: gone_on.append(waiting.session.id)
    pause.begin(1000.0, True, pause.end)
    sessions = [session(number) for number in (3, 1, 2)]
    for one in sessions:
        pause.hold(command("SET", one))
    assert all(one.is_held for one in sessions)
    for forget in list(sessions[1].at_close):
        forget()
    pause.end()
    assert gone_on == [3, 2]
    assert [(one.is_held, len(one.at_close)) for one in (sessions[0], sessions[2])] == [(False, 0)] * 2


async def test_a_command_that_goes_on_may_be_held_by_the_next_pause(pause: Pause) -> None:
    def pause_again(waiting: Command) -> None:
        pause.begin(1000.0, True, pause.end)
        pause.hold(waiting)

    pause.carry_on = pause_again
    pause.begin(1000.0, True, pause.end)
    one = session(1)
    pause.hold(command("SET", one))
    pause.end()
    assert one.is_held
    pause.carry_on = lambda waiting: None
