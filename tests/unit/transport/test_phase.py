"""The tables of a connection's moves, and that its flags tell its phase.

``tests/model/test_moves.py`` has that every phase is reached and can end, and that connections move like this.
"""

from __future__ import annotations

import pytest

from rproxy.transport.phase import DOWNSTREAM, SUBSCRIBER, UPSTREAM, Moves, Phase, upstream_phase
from tests.support.moves import moves_of

TABLES = {"downstream": DOWNSTREAM, "upstream": UPSTREAM, "subscriber": SUBSCRIBER}
each_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@pytest.mark.parametrize(
    ("is_open", "was_open", "phase"),
    [
        (True, False, Phase.CONNECTING),
        (True, True, Phase.OPEN),
        (False, True, Phase.CLOSED),
        (False, False, Phase.CLOSED),
    ],
)
def test_a_connection_to_a_node_is_closed_whether_or_not_it_was_ever_open(
    is_open: bool, was_open: bool, phase: Phase
) -> None:
    assert upstream_phase(is_open, was_open) is phase


def test_the_flags_of_a_connection_to_a_node_make_the_moves_of_its_table_and_no_others() -> None:
    opened = upstream_phase(True, False), upstream_phase(True, True)
    lost = {(upstream_phase(True, was_open), upstream_phase(False, was_open)) for was_open in (False, True)}
    assert {opened, *lost} == moves_of(UPSTREAM)


def test_every_phase_is_one_of_some_connection() -> None:
    assert {phase for table in TABLES.values() for phase in table} == set(Phase)


@each_table
def test_what_is_closed_stays_closed(table: Moves) -> None:
    assert table[Phase.CLOSED] == frozenset()


@each_table
def test_whatever_is_not_closed_can_be_lost_at_any_moment(table: Moves) -> None:
    assert all(Phase.CLOSED in targets for phase, targets in table.items() if phase is not Phase.CLOSED)


@each_table
def test_a_move_leads_elsewhere_and_never_back_to_connecting(table: Moves) -> None:
    assert all(before is not after and after is not Phase.CONNECTING for before, after in moves_of(table))


def test_who_finishes_is_neither_served_nor_throttled_again() -> None:
    assert DOWNSTREAM[Phase.FINISHING] == {Phase.CLOSED}


def test_a_throttled_client_is_read_from_again() -> None:
    assert {(Phase.OPEN, Phase.THROTTLED), (Phase.THROTTLED, Phase.OPEN)} <= moves_of(DOWNSTREAM)


def test_only_clients_are_throttled_or_finish() -> None:
    assert not {Phase.THROTTLED, Phase.FINISHING} & {*UPSTREAM, *SUBSCRIBER}
