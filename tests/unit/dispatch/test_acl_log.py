"""The log of what was denied: joined, ordered, bounded."""

import json

from rproxy.dispatch.acl_log import MOST, AclLog, Entry, merged


def entry(subject: bytes, at: float = 0.0, user: bytes = b"app") -> Entry:
    return Entry(b"key", b"toplevel", subject, user, at, b"id=1")


def subjects(log: AclLog, count: int = MOST) -> list[tuple[bytes, int]]:
    return [(found.subject, found.count) for found in log.newest(count)]


def test_denials_that_are_alike_are_one_entry_for_a_minute() -> None:
    log = AclLog()
    for each in [entry(b"a"), entry(b"b", 1.0), entry(b"a", 60.0), entry(b"a", 60.0, b"other"), entry(b"a", 121.0)]:
        log.add(each)
    assert subjects(log) == [(b"a", 1), (b"a", 1), (b"a", 2), (b"b", 1)]
    assert subjects(log, 2) == [(b"a", 1), (b"a", 1)]


def test_the_oldest_are_forgotten() -> None:
    log = AclLog()
    for number in range(MOST + 5):
        log.add(entry(b"%d" % number))
    assert len(subjects(log)) == MOST
    assert subjects(log, 1) == [(b"%d" % (MOST + 4), 1)]
    assert log.counts == {"key": MOST + 5}
    log.clear()
    assert subjects(log) == []
    assert subjects(log, -1) == []


def test_an_entry_tells_its_age() -> None:
    assert entry(b"a", 10.0).describe(12.5) == {
        b"count": 1,
        b"reason": b"key",
        b"context": b"toplevel",
        b"object": b"a",
        b"username": b"app",
        b"age-seconds": 2.5,
        b"client-info": b"id=1",
    }


def test_logs_of_several_workers_become_one() -> None:
    one, two = AclLog(), AclLog()
    for log, each in [
        (one, entry(b"a", 1.0)),
        (two, entry(b"\xff", 2.0)),
        (two, entry(b"a", 3.0)),
        (one, entry(b"c", 4.0)),
    ]:
        log.add(each)
    logs = json.loads(json.dumps([[each.plain() for each in log.newest(MOST)] for log in (one, two)]))
    assert subjects(merged(logs)) == [(b"c", 1), (b"a", 2), (b"\xff", 1)]
