from __future__ import annotations

from rproxy.dispatch.session import Session


def test_a_new_session_is_plain_and_speaks_resp2() -> None:
    session = Session(7, "127.0.0.1:5000", "127.0.0.1:6380", 12.5)
    assert (session.id, session.address, session.local_address, session.created) == (
        7,
        "127.0.0.1:5000",
        "127.0.0.1:6380",
        12.5,
    )
    assert (session.protocol, session.is_plain, session.is_quitting, session.name) == (2, True, False, b"")


def test_the_lowest_bit_of_the_affinity_is_the_protocol() -> None:
    affinities = set()
    for number in range(10):
        session = Session(number, "", "", 0.0)
        for protocol in (3, 2):
            session.speak(protocol)
            assert session.affinity % 2 == protocol - 2
            affinities.add(session.affinity)
    assert len(affinities) == 20
