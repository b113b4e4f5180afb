"""Every input that was kept, through the form that runs and its twin; and that the targets tell a wrong form."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from tests.fuzz import mutations, queues, scanners
from tests.fuzz.targets import CORPUS, TARGETS, inputs_of
from tests.support.forms import load_source


def replay(name: str) -> None:
    for data in inputs_of(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_find_nothing_any_more(name: str) -> None:
    assert inputs_of(name)
    replay(name)


def test_every_folder_of_the_corpus_is_a_targets() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_mutations_of_them_find_nothing(name: str) -> None:
    chance = random.Random(name)
    pool = inputs_of(name)
    for _ in range(150):
        TARGETS[name](mutations.mutate(chance.choice(pool), chance.choice(pool), chance))


def test_a_scanner_that_forgets_its_place_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(load_source("resp.wire").ReplyScanner):  # type: ignore[misc]
        def next(self, chunk: bytes, start: int, end: int) -> int:
            size: int = super().next(chunk, start, end)
            return 1 if self.is_mid_reply() else size

    monkeypatch.setattr(scanners, "WIRES", [*scanners.WIRES, SimpleNamespace(ReplyScanner=Forgetful)])
    with pytest.raises(AssertionError):
        replay("replies")


def test_an_outbox_that_loses_a_byte_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaking(load_source("transport.outbox").Outbox):  # type: ignore[misc]
        def write(self, data: bytes) -> None:
            super().write(data[:2048])

    monkeypatch.setattr(queues, "OUTBOXES", [*queues.OUTBOXES, SimpleNamespace(Outbox=Leaking)])
    with pytest.raises(AssertionError):
        replay("outbox")
