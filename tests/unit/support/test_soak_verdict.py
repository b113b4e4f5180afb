"""The judge of the soak finds what is wrong, and excuses what a trouble explains and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rproxy.topology.slots import hash_slot
from rproxy.upstream.failure import LOST, TIMEOUT, UNREACHABLE
from tests.support.soak_client import number_in, value_of
from tests.support.soak_verdict import (
    Addition,
    Excuse,
    Failed,
    Journal,
    Outcome,
    Place,
    Pop,
    Published,
    Read,
    Session,
    Trouble,
    Write,
    is_explained,
    is_possible,
    outcome_of,
    verdict,
)

KEY = "{a}v"
PLACE = Place("{a}l", "list")
LOSS = Trouble("a primary is killed", 100.0, 110.0, (Excuse.of(LOST, most=2.0),), [hash_slot(b"a")], breaks=True)
CALM = replace(LOSS, lost=(), excuses=(), breaks=False)
DONE, MAYBE, NOT = Outcome.DONE, Outcome.MAYBE, Outcome.NOT


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("", DONE),
        (LOST.line("n", "gone").decode()[1:], MAYBE),
        (TIMEOUT.line("n").decode()[1:], MAYBE),
        (UNREACHABLE.line("n", "gone").decode()[1:], NOT),
        ("CLUSTERDOWN Hash slot not served", NOT),
        ("EXECABORT Transaction discarded", NOT),
        ("ERR whatever", MAYBE),
    ],
)
def test_what_an_error_says_of_its_command(error: str, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


@pytest.mark.parametrize(
    ("began", "ended", "error", "explained"),
    [
        (100.5, 100.6, LOST.line("n", "reset").decode()[1:], True),
        (99.0, 100.1, LOST.line("n", "reset").decode()[1:], True),
        (103.0, 103.1, LOST.line("n", "reset").decode()[1:], False),
        (90.0, 99.9, LOST.line("n", "reset").decode()[1:], False),
        (100.5, 100.6, TIMEOUT.line("n").decode()[1:], False),
    ],
)
def test_an_error_is_explained_by_its_trouble_alone(began: float, ended: float, error: str, explained: bool) -> None:
    assert is_explained(Failed(("GET",), began, ended, error), [LOSS]) is explained


def test_a_time_out_before_its_time_is_not_explained() -> None:
    trouble = replace(CALM, excuses=(Excuse.of(TIMEOUT, 4.0),))
    line = TIMEOUT.line("n").decode()[1:]
    assert is_explained(Failed(("GET",), 101.0, 106.0, line), [trouble])
    assert not is_explained(Failed(("GET",), 101.0, 102.0, line), [trouble])


WRITES = (Write(1, 98.0, 98.1, DONE), Write(2, 99.5, 99.6, DONE), Write(3, 101.0, 101.1, DONE))


@pytest.mark.parametrize(
    ("number", "writes", "trouble", "possible"),
    [
        (3, WRITES, CALM, True),
        (2, WRITES, CALM, False),
        (2, WRITES, LOSS, True),
        (1, WRITES, LOSS, True),
        (0, WRITES, LOSS, False),
        (7, WRITES, LOSS, False),
        (1, WRITES, replace(LOSS, lost=[hash_slot(b"b")]), False),
        (1, WRITES, replace(LOSS, began=200.0, ended=210.0), False),
        (2, (WRITES[0], WRITES[1]._replace(outcome=MAYBE), WRITES[2]), CALM, True),
        (2, (WRITES[0], WRITES[1]._replace(outcome=NOT), WRITES[2]), LOSS, False),
        (2, (*WRITES[:2], WRITES[2]._replace(outcome=MAYBE)), CALM, True),
        (2, (*WRITES[:2], WRITES[2]._replace(outcome=NOT)), CALM, True),
        (0, (), CALM, True),
    ],
)
def test_what_a_key_may_hold(number: int, writes: tuple[Write, ...], trouble: Trouble, possible: bool) -> None:
    assert is_possible(Read(KEY, number, 105.0, writes), [trouble]) is possible


def add(token: str, at: float, outcome: Outcome = DONE, place: Place = PLACE) -> Addition:
    return Addition(place, token, at, at, outcome)


@pytest.mark.parametrize(
    ("additions", "held", "complaint"),
    [
        ([add("1", 1.0), add("2", 2.0)], ["1", "2"], None),
        ([add("1", 1.0)], ["1", "1"], "there 2 times"),
        ([add("1", 1.0)], [], "is missing"),
        ([add("1", 99.5)], [], None),
        ([add("1", 98.5)], [], "is missing"),
        ([add("1", 1.0, MAYBE)], [], None),
        ([add("1", 1.0, MAYBE)], ["1"], None),
        ([add("1", 1.0, NOT)], ["1"], "was executed"),
        ([add("1", 1.0, NOT)], [], None),
        ([add("1", 1.0)], ["1", "9"], "never sent"),
        ([add("1", 1.0), add("2", 2.0)], ["2", "1"], "order"),
        ([add("1", 1.0), add("2", 2.0, MAYBE), add("3", 3.0)], ["1", "3", "2"], None),
    ],
)
def test_tokens_are_there_once(additions: list[Addition], held: list[str], complaint: str | None) -> None:
    found = verdict(Journal(additions=additions), [LOSS], {PLACE: held})
    assert len(found) == (complaint is not None)
    assert not found or (complaint or "") in found[0]


@pytest.mark.parametrize(
    ("pops", "held", "complaint"),
    [
        ([Pop(PLACE.key, "1", 2.0, 2.0)], [], None),
        ([Pop(PLACE.key, "1", 2.0, 2.0)] * 2, [], "there 2 times"),
        ([Pop(PLACE.key, "1", 2.0, 2.0)], ["1"], "there 2 times"),
        ([Pop(PLACE.key, "1", 100.5, 100.5)], ["1"], None),
        ([Pop(PLACE.key, "", 2.0, 2.0)], [], None),
        ([], [], "is missing"),
    ],
)
def test_what_was_popped_is_gone(pops: list[Pop], held: list[str], complaint: str | None) -> None:
    found = verdict(Journal(additions=[add("1", 1.0)], pops=pops), [LOSS], {PLACE: held})
    assert len(found) == (complaint is not None)
    assert not found or (complaint or "") in found[0]


@pytest.mark.parametrize(
    ("outcomes", "found", "is_right"),
    [
        ([DONE, DONE], "2", True),
        ([DONE, DONE], "3", False),
        ([DONE, DONE], "1", False),
        ([DONE, MAYBE], "1", True),
        ([DONE, MAYBE], "2", True),
        ([DONE, NOT], "2", False),
    ],
)
def test_counters_have_what_was_acknowledged(outcomes: list[Outcome], found: str, is_right: bool) -> None:
    place = Place("{a}n", "counter")
    additions = [add("", 1.0, outcome, place) for outcome in outcomes]
    assert (verdict(Journal(additions=additions), [LOSS], {place: [found]}) == []) is is_right


@pytest.mark.parametrize(
    ("heard", "is_right"),
    [
        ([1, 2, 3], True),
        ([1, 3], False),
        ([1, 2, 2, 3], False),
        ([2, 1, 3], False),
        ([1, 2, 3, 9], False),
    ],
)
def test_messages_come_once_and_in_order(heard: list[int], is_right: bool) -> None:
    published = [Published("c", number, float(number), float(number), is_sure=True) for number in (1, 2, 3)]
    session = Session("s", 0.5, 50.0, [("c", number, 1.0) for number in heard])
    assert (verdict(Journal(sessions=[session], published=published), [LOSS], {}) == []) is is_right


def test_messages_may_be_missed_in_trouble_and_before_a_session() -> None:
    published = [Published("c", number, at, at, is_sure=True) for number, at in enumerate((1.0, 99.9, 105.0, 120.0), 1)]
    session = Session("s", 50.0, 150.0, [("c", 4, 120.0)])
    assert verdict(Journal(sessions=[session], published=published), [LOSS], {}) == []


@pytest.mark.parametrize("again", [[1, 1], [1, 2, 1], [1, 2, 1, 2]])
def test_a_message_may_come_twice_only_where_a_trouble_says_so(again: list[int]) -> None:
    published = [Published("c", number, 101.0, 101.0, is_sure=True) for number in (1, 2)]
    session = Session("s", 0.5, 150.0, [("c", number, 101.0) for number in again])
    journal = Journal(sessions=[session], published=published)
    assert verdict(journal, [LOSS], {})
    assert verdict(journal, [replace(LOSS, repeats=True)], {}) == []


def test_a_message_that_comes_late_is_out_of_order_whatever_the_trouble() -> None:
    published = [Published("c", number, 101.0, 101.0, is_sure=True) for number in (1, 2)]
    journal = Journal(sessions=[Session("s", 0.5, 150.0, [("c", 2, 101.0), ("c", 1, 101.0)])], published=published)
    assert len(verdict(journal, [replace(LOSS, repeats=True)], {})) == 1


@pytest.mark.parametrize(
    ("journal", "complaint"),
    [
        (Journal(wrong=["GET: b, not a"]), "GET: b"),
        (Journal(unwatched=[50.0]), "EXEC at 50"),
        (Journal(starved=[(50.0, 53.0)]), "starved"),
        (Journal(broken=[(50.0, "closed")]), "broken: closed"),
        (Journal(fallen=[("{a}n", 50.0)]), "fell"),
        (Journal(odd=[Read(KEY, 1, 105.0, WRITES[:1])]), None),
        (Journal(unwatched=[101.0], starved=[(99.0, 102.0)], broken=[(101.0, "closed")]), None),
        (Journal(fallen=[("{a}n", 111.0)]), None),
    ],
)
def test_the_rest_needs_a_trouble_too(journal: Journal, complaint: str | None) -> None:
    found = verdict(journal, [LOSS], {})
    assert len(found) == (complaint is not None)
    assert not found or (complaint or "") in found[0]


def test_a_value_is_whole_and_of_its_key() -> None:
    value = value_of(KEY, 7, 10).encode()
    assert number_in(KEY, value) == 7
    assert number_in(KEY, None) == 0
    assert [number_in(KEY, wrong) for wrong in (value[:-1], value + b"x", b"", b"y" + value, value[:-1] + b"y")] == [
        None
    ] * 5
