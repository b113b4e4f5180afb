"""Which form of the hot modules runs, and that ``RPROXY_PURE=1`` takes the sources alone."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import rproxy
from rproxy.form import force_pure_form, running_form

ROOT = Path(rproxy.__file__).parent
HOT = sorted(
    ".".join(("rproxy", *path.relative_to(ROOT).with_suffix("").parts))
    for path in ROOT.rglob("*.pxd")
    if path.stem != "__init__" and path.with_suffix(".py").exists()
)
FILES_OF = """
import importlib, sys
for name in sys.argv[1:]:
    print(importlib.import_module(name).__file__)
"""


def files_of(names: list[str], *, is_pure: bool) -> list[str]:
    """Where a new Python process imports the modules from."""
    environment = {name: value for name, value in os.environ.items() if name != "RPROXY_PURE"}
    if is_pure:
        environment["RPROXY_PURE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", FILES_OF, *names], env=environment, cwd=ROOT.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_pure_form_is_the_sources() -> None:
    assert "rproxy.resp.wire" in HOT
    assert all(file.endswith(".py") for file in files_of(HOT, is_pure=True))


def test_hot_modules_are_compiled_together_or_not_at_all() -> None:
    are_compiled = {file.endswith(tuple(EXTENSION_SUFFIXES)) for file in files_of(HOT, is_pure=False)}
    assert len(are_compiled) == 1


def test_the_running_form_is_told() -> None:
    is_built = any(ROOT.glob("resp/wire.*.so"))
    is_forced = os.environ.get("RPROXY_PURE") == "1"
    assert running_form() == ("compiled" if is_built and not is_forced else "pure")


# -- the finder


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> MetaPathFinder:
    """The finder that forces the pure form."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setenv("RPROXY_PURE", "1")
    force_pure_form()
    assert isinstance(sys.meta_path[0], MetaPathFinder)
    return sys.meta_path[0]


@pytest.mark.parametrize("suffix", [suffix for suffix in EXTENSION_SUFFIXES if suffix.count(".") > 1])
def test_a_source_is_preferred_to_the_extension_beside_it(finder: MetaPathFinder, tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"hot{suffix}").touch()
    (tmp_path / "hot.py").touch()
    spec = finder.find_spec("rproxy.hot", [str(tmp_path)])
    assert spec is not None
    assert spec.origin == str(tmp_path / "hot.py")


def test_an_extension_without_a_source_cannot_be_imported(finder: MetaPathFinder, tmp_path: Path) -> None:
    (tmp_path / f"hot{EXTENSION_SUFFIXES[0]}").touch()
    with pytest.raises(ImportError, match=r"rproxy\.hot has no pure form"):
        finder.find_spec("rproxy.hot", [str(tmp_path)])


def test_other_modules_are_found_as_ever(finder: MetaPathFinder, tmp_path: Path) -> None:
    (tmp_path / "plain.py").touch()
    (tmp_path / f"foreign{EXTENSION_SUFFIXES[0]}").touch()
    spec = finder.find_spec("rproxy.plain", [str(tmp_path)])
    assert spec is not None
    assert spec.origin == str(tmp_path / "plain.py")
    assert finder.find_spec("rproxy.absent", [str(tmp_path)]) is None
    assert finder.find_spec("foreign", [str(tmp_path)]) is None


@pytest.mark.parametrize("value", [None, "", "0", "yes"])
def test_nothing_is_forced_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    before = list(sys.meta_path)
    monkeypatch.setattr(sys, "meta_path", list(before))
    if value is None:
        monkeypatch.delenv("RPROXY_PURE", raising=False)
    else:
        monkeypatch.setenv("RPROXY_PURE", value)
    force_pure_form()
    assert sys.meta_path == before
