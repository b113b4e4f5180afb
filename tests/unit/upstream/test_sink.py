"""Sinks: what discards drops quietly, and the two that discard can be told apart."""

from __future__ import annotations

import pytest

from rproxy.resp.wire import Chunk
from rproxy.upstream.sink import DISCARD, MIRRORED, Sink


@pytest.mark.parametrize("sink", [DISCARD, MIRRORED])
def test_a_discarded_reply_goes_nowhere(sink: Sink) -> None:
    chunk = bytearray(b"+OK\r\n")
    assert sink.deliver(0, chunk, 0, 5) is None
    assert chunk == b"+OK\r\n"


def test_the_replies_of_mirrors_are_not_taken_for_those_of_timed_out_requests() -> None:
    assert DISCARD is not MIRRORED


def test_a_sink_sees_the_place_of_its_reply_in_the_chunk() -> None:
    class Kept(Sink):
        def deliver(self, token: int, chunk: Chunk, start: int, end: int) -> None:
            seen.append((token, bytes(chunk[start:end])))

    seen: list[tuple[int, bytes]] = []
    Kept().deliver(7, bytearray(b"+A\r\n+B\r\n"), 4, 8)
    assert seen == [(7, b"+B\r\n")]
