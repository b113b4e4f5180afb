import socket
from contextlib import ExitStack

import pytest

from rproxy.server import parcels


def test_sockets_arrive_with_their_names_however_many() -> None:
    ours, theirs = parcels.pair()
    with ours, theirs, ExitStack() as opened:
        pairs = [socket.socketpair() for _ in range(parcels.AT_ONCE + 2)]
        for pair in pairs:
            for end in pair:
                opened.enter_context(end)
        parcels.send(ours, {str(number): pair[0] for number, pair in enumerate(pairs)})
        received = parcels.receive(theirs, len(pairs))
        for number, (_, other) in enumerate(pairs):
            with received[str(number)] as copy:
                copy.send(b"%d" % number)
                assert other.recv(10) == b"%d" % number


def test_the_end_of_the_other_side_is_told() -> None:
    ours, theirs = parcels.pair()
    with theirs:
        ours.close()
        with pytest.raises(ConnectionError):
            parcels.receive(theirs, 1)
        assert parcels.receive(theirs, 0) == {}
