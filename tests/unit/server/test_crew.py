import logging
from typing import Any

import pytest

from rproxy.metrics.samples import Sample
from rproxy.server.crew import CrewSource, SoleWorker, crew_samples, drain
from tests.unit.server.stub_worker import StubWorker


class FakeCrew:
    """Answers what it was made with."""

    def __init__(self, answers: dict[str, dict[int, Any]]) -> None:
        self.answers = answers

    async def start(self) -> None: ...

    async def drain(self) -> None: ...

    async def ask(self, question: str) -> dict[int, Any]:
        return self.answers[question]

    async def samples(self) -> list[Sample]:
        return [("rproxy_mirror_sent_total", ("m",), 1), ("rproxy_mirror_sent_total", ("m",), 2)]


def source(make_config: Any, **answers: dict[int, Any]) -> CrewSource:
    return CrewSource(FakeCrew(answers), make_config(workers=2))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({0: (True, "ready"), 1: (True, "ready")}, (True, "ready")),
        ({0: (True, "ready"), 1: (False, "no topology yet: main")}, (False, "no topology yet: main")),
        ({0: (True, "ready")}, (False, "no answer from worker 1")),
        ({}, (False, "no answer from worker 0, 1")),
    ],
)
async def test_it_is_ready_when_every_worker_is(make_config: Any, answers: Any, expected: Any) -> None:
    assert await source(make_config, readiness=answers).readiness() == expected


async def test_it_is_not_ready_while_it_drains(make_config: Any) -> None:
    draining = source(make_config, readiness={0: (True, "ready"), 1: (True, "ready")})
    draining.is_draining = True
    assert await draining.readiness() == (False, "draining")


async def test_clusters_tell_their_worker(make_config: Any) -> None:
    clusters = {0: [{"name": "a"}, {"name": "b"}], 1: [{"name": "a"}]}
    assert await source(make_config, clusters=clusters).clusters() == [
        {"worker": 0, "name": "a"},
        {"worker": 0, "name": "b"},
        {"worker": 1, "name": "a"},
    ]


async def test_samples_are_merged(make_config: Any) -> None:
    assert await source(make_config).samples() == [("rproxy_mirror_sent_total", ("m",), 3)]


def test_no_secret_is_in_the_configuration_shown(make_config: Any) -> None:
    dump = source(make_config).config_dump()
    assert dump["clusters"][0]["password"] == "********"
    assert "hushhush" not in str(dump)


async def test_a_sole_worker_answers_without_a_channel(make_config: Any) -> None:
    crew = SoleWorker(StubWorker(make_config(cluster="absent"), {}), 2.5)
    await crew.start()
    assert await crew.ask("readiness") == {0: (False, "no topology yet: absent")}
    samples = {name: value for name, _, value in await crew.samples()}
    assert (samples["rproxy_workers_alive"], samples["rproxy_workers_configured"]) == (1, 1)
    assert samples["rproxy_mirror_sent_total"] == 0
    assert samples["rproxy_cpu_seconds_total"] > 0


async def test_a_sole_worker_drains_within_the_time_out(make_config: Any) -> None:
    worker = StubWorker(make_config(), {})
    await SoleWorker(worker, 2.5).drain()
    assert worker.drained_within == 2.5


async def test_clients_that_were_cut_off_are_told_of(make_config: Any, caplog: pytest.LogCaptureFixture) -> None:
    worker = StubWorker(make_config(), {})
    worker._clients = 1
    with caplog.at_level(logging.WARNING):
        await drain(worker, 0.0)
    assert "cut off" in caplog.text


def test_the_metrics_of_the_crew() -> None:
    assert crew_samples(configured=4, alive=3, restarts=2) == [
        ("rproxy_workers_configured", (), 4),
        ("rproxy_workers_alive", (), 3),
        ("rproxy_worker_restarts_total", (), 2),
    ]
