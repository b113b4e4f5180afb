"""When a configuration is read again, and what becomes of one that is of no use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from rproxy.config.models import Config
from rproxy.config.source import ConfigFile, Mark
from rproxy.errors import ConfigError, StartError
from rproxy.server import reloader as module
from rproxy.server.reloader import Reloader


class FakeFile:
    """A file whose content is a configuration, or an error, and which changes when it is told to."""

    def __init__(self, content: Config | Exception) -> None:
        self.content = content
        self.version = 0

    def change(self, content: Config | Exception) -> None:
        self.content = content
        self.version += 1

    def load(self) -> Config:
        if isinstance(self.content, Exception):
            raise self.content
        return self.content

    def mark(self, _: Config) -> Mark:
        return ((self.version,),)


class Rig:
    """A reloader of a fake file; ``applied`` are the configurations that it put in force."""

    def __init__(self, config: Config) -> None:
        self.file = FakeFile(config)
        self.applied: list[Config] = []
        self.trouble: Exception | None = None
        self.troubles: list[str] = []
        self.reloader = Reloader(config, cast(ConfigFile, self.file), self._apply)

    async def _apply(self, config: Config) -> list[str]:
        if self.trouble is not None:
            raise self.trouble
        self.applied.append(config)
        return self.troubles

    async def reload(self) -> None:
        await self.reloader.reload(cast(ConfigFile, self.file))

    def counts(self) -> tuple[float, float, float]:
        """Successes, failures, and whether the last attempt was a success."""
        values = [value for name, _, value in self.reloader.samples() if "timestamp" not in name]
        return cast(tuple[float, float, float], tuple(values))


@pytest.fixture
async def rig(
    make_config: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Rig]:
    monkeypatch.setattr(module, "WATCH_EVERY", 0.01)
    caplog.set_level(logging.INFO)
    rig = Rig(make_config())
    yield rig
    await rig.reloader.stop()


async def until(rig: Rig, count: int) -> None:
    async with asyncio.timeout(10):
        while sum(rig.counts()[:2]) < count:
            await asyncio.sleep(0.005)


async def test_it_applies_what_the_file_says_now(rig: Rig, make_config: Any, caplog: pytest.LogCaptureFixture) -> None:
    other = make_config(drain_timeout=3.0)
    rig.file.change(other)
    await rig.reload()
    assert rig.applied == [other]
    assert rig.reloader.config == other
    assert rig.counts() == (1, 0, 1)
    assert "another configuration is in force: drain_timeout changed" in caplog.text


async def test_one_that_says_the_same_changes_nothing(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await rig.reload()
    assert (rig.applied, rig.counts()) == ([], (1, 0, 1))
    assert "nothing is different" in caplog.text


async def test_a_bad_one_is_refused_line_by_line(rig: Rig, make_config: Any, caplog: pytest.LogCaptureFixture) -> None:
    before = rig.reloader.config
    rig.file.change(ConfigError("f.yaml:1: one\nf.yaml:2: two"))
    await rig.reload()
    assert rig.reloader.config is before
    assert rig.counts() == (0, 1, 0)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "the new configuration is refused, the old one stays in force:",
        "f.yaml:1: one",
        "f.yaml:2: two",
    ]
    rig.file.change(before)
    await rig.reload()
    assert rig.counts() == (1, 1, 1)


async def test_an_address_that_cannot_be_had_refuses_it(rig: Rig, make_config: Any) -> None:
    before = rig.reloader.config
    rig.file.change(make_config(drain_timeout=3.0))
    rig.trouble = StartError("cannot listen on a:1: address already in use")
    await rig.reload()
    assert rig.reloader.config is before
    assert rig.counts() == (0, 1, 0)


async def test_what_went_wrong_in_a_part_is_tried_again_though_the_file_says_the_same(
    rig: Rig, make_config: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rig.file.change(make_config(drain_timeout=3.0))
    rig.troubles = ["worker 1 goes on with the old configuration: it hangs"]
    await rig.reload()
    assert "worker 1 goes on with the old configuration" in caplog.text
    rig.troubles = []
    await rig.reload()
    assert (len(rig.applied), rig.counts()) == (2, (1, 1, 1))


async def test_the_number_of_workers_stays(rig: Rig, make_config: Any, caplog: pytest.LogCaptureFixture) -> None:
    rig.file.change(make_config(workers=7, drain_timeout=3.0))
    await rig.reload()
    assert [(config.workers, config.drain_timeout) for config in rig.applied] == [(1, 3.0)]
    assert "workers stays 1: another number needs a restart" in caplog.text


async def test_a_change_is_seen_once_it_is_complete(rig: Rig, make_config: Any) -> None:
    rig.reloader.start()
    rig.file.change(make_config(drain_timeout=3.0))
    await until(rig, 1)
    rig.file.change(ConfigError("f.yaml:1: half of it"))
    await until(rig, 2)
    rig.file.change(make_config(drain_timeout=4.0))
    await until(rig, 3)
    await asyncio.sleep(0.05)
    assert rig.counts() == (2, 1, 1)
    assert [config.drain_timeout for config in rig.applied] == [3.0, 4.0]


async def test_without_watching_the_signal_is_needed(rig: Rig, make_config: Any) -> None:
    rig.file.change(make_config(watch_config=False))
    await rig.reload()
    rig.reloader.start()
    rig.file.change(make_config(watch_config=False, drain_timeout=3.0))
    await asyncio.sleep(0.1)
    assert rig.counts()[0] == 1
    rig.reloader.on_signal()
    await until(rig, 2)
    assert rig.reloader.config.drain_timeout == 3.0


async def test_without_a_file_the_signal_says_so(make_config: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def apply(_: Config) -> list[str]:
        raise AssertionError("there is nothing to apply")

    reloader = Reloader(make_config(), None, apply)
    reloader.start()
    reloader.on_signal()
    await reloader.stop()
    assert "there is no file to read again" in caplog.text
