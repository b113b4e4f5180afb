"""What moves replies and requests: operations in any order, on both forms and on a model that is plain Python."""

from __future__ import annotations

import asyncio
from typing import Any

from rproxy.metrics.counters import CommandStats
from rproxy.transport.connection import Connection, Traffic, Turn
from rproxy.upstream.sink import DISCARD, Sink
from tests.fuzz.source import Source
from tests.support.forms import forms

OUTBOXES = forms("transport.outbox")
FLIGHTS = forms("upstream.in_flight")
REPLY_QUEUES = forms("downstream.reply_queue")
PIECE = 262144
LARGE = (70_000, 131_072, 300_000, 1_100_000)
"""Around where a chain of blocks begins, and a block of it ends."""
SIZES = (0, 1, 30, 200, 2047, 2048, 2049, 5000)
"""Around what is kept inline, in a pooled block, and sent without a copy."""


def outbox(data: bytes) -> None:
    """An outbox is a byte queue with a memory of what was sent."""
    source = Source(data)
    retains = bool(source.below(2))
    boxes = [module.Outbox(retains) for module in OUTBOXES]
    kept, sent, gone, serial = b"", 0, 0, 0
    while source.has_more():
        step, size = source.of("wwtarcp"), source.of(SIZES) + source.below(4)
        if size == 3 and len(kept) < 4_000_000:
            size = source.of(LARGE)
        if step in "wa":
            serial += 1
            block = bytes([serial % 251]) * size
            for box in boxes:
                if step == "w":
                    box.write(block)
                else:
                    box.append(bytearray(b"<" + block + b">"), 1, 1 + size)
            kept += block
        elif step in "tp":
            taken = kept[sent:] if step == "t" else kept[sent : sent + PIECE]
            assert [box.take() if step == "t" else box.take_piece() for box in boxes] == [taken] * len(boxes)
            gone += len(taken)
            kept, sent = (kept, sent + len(taken)) if retains else (kept[len(taken) :], 0)
        elif step == "r":
            size = min(size, len(kept) + 1)
            assert {box.release(size) for box in boxes} == {size <= sent}
            kept, sent = (kept[size:], sent - size) if size <= sent else (kept, sent)
        else:
            for box in boxes:
                box.clear()
            kept, sent = b"", 0
        for box in boxes:
            assert (box.size(), box.sent(), box.unsent()) == (len(kept), sent, len(kept) - sent)
            assert box.gone == gone
            assert not retains or box.copy(0, len(kept)) == kept


def in_flight(data: bytes) -> None:
    """Requests leave in the order in which they came; what has expired keeps its turn and loses its sink."""
    source = Source(data)
    flights = [module.InFlight() for module in FLIGHTS]
    sinks = [Sink() for _ in range(3)]
    stats = CommandStats()
    serial = 0
    while source.has_more():
        step = source.of("pppppaaoeh")
        number = source.below(256)
        if step == "p":
            serial += 1
            replies = 1 if number < 200 else 1 + number % 5
            entry = (sinks[number % 3], serial, stats if number % 2 else None, number, float(serial), number % 7 - 1)
            for flight in flights:
                flight.push(*entry, bool(number % 3), number % 5, replies)
        elif step == "a":
            rests = [flight.answer() for flight in flights]
            assert len(set(rests)) == 1
            _alike(flights, is_whole=rests[0] == 0)
        elif step == "o":
            assert len({flight.pop() for flight in flights}) == 1
            _alike(flights, is_whole=True)
        elif step == "e":
            expired = [flight.expire(float(serial - number // 8)) for flight in flights]
            assert all(each == expired[0] for each in expired)
            assert all(sink is not DISCARD for sink, _, _ in expired[0])
        else:
            slots = flights[0].slots()
            assert all(flight.slots() == slots for flight in flights)
            assert {flight.has_slot(number % 7 - 1) for flight in flights} == {number % 7 - 1 in slots}
        assert len({flight.count() for flight in flights}) == 1


def _alike(flights: list[Any], is_whole: bool) -> None:
    """The entry that was shown is the same; a token without a sink says nothing."""
    shown = []
    for flight in flights:
        facts = [flight.sink, None if flight.sink is DISCARD else flight.token]
        if is_whole:
            facts += [flight.stats, flight.size, flight.started, flight.slot, flight.is_read, flight.hops]
        shown.append(facts)
    assert all(facts == shown[0] for facts in shown), shown


def reply_queue(data: bytes) -> None:
    """Replies leave in the order of their places, each exactly once, whatever the order in which they come."""
    source = Source(data)
    loop = asyncio.new_event_loop()
    turn = Turn(loop)
    loop.close()
    turn.is_running = True
    connections = [Connection(turn, Traffic(), False) for _ in REPLY_QUEUES]
    queues = [module.ReplyQueue(connection) for module, connection in zip(REPLY_QUEUES, connections, strict=True)]
    waiting: dict[int, bytes | None] = {}
    opened = 0
    while source.has_more():
        step = source.of("ooooddddtc")
        if step == "o":
            for _ in range(1 + source.below(24)):
                assert [queue.open() for queue in queues] == [opened] * len(queues)
                waiting[opened] = None
                opened += 1
        elif step == "d" and opened:
            token = max(0, opened - 1 - source.below(70))
            reply = bytes([token % 251]) * (1 + source.of(SIZES))
            is_due = waiting.get(token, b"") is None
            for queue in queues:
                assert _deliver(queue, token, reply) == is_due
            if is_due:
                waiting[token] = reply
        elif step == "t":
            due = b""
            while waiting and (reply := next(iter(waiting.values()))) is not None:
                due += reply
                del waiting[next(iter(waiting))]
            assert [connection.outbox.take() for connection in connections] == [due] * len(connections)
        elif step == "c" and source.below(8) == 0:
            for queue in queues:
                queue.close()
                assert _deliver(queue, 0, b"late")
                assert queue.held == 0
            return
        held = {queue.held for queue in queues}
        assert len(held) == 1
        assert len({queue.pending() for queue in queues}) == 1
        assert held.pop() <= sum(len(reply) for reply in waiting.values() if reply is not None)


def _deliver(queue: Any, token: int, reply: bytes) -> bool:
    """Whether the queue took the reply."""
    try:
        queue.deliver(token, bytearray(b"<" + reply + b">"), 1, 1 + len(reply))
    except ValueError:
        return False
    return True
