"""The layer rule: a module imports only from lower rows, or from its own package (docs/architecture.md)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "rproxy"

ROWS = (
    {"errors", "__init__"},
    {"resp"},
    {"commands", "topology", "transport", "form"},
    {"acl"},
    {"routing", "config", "metrics"},
    {"upstream"},
    {"dispatch"},
    {"downstream", "admin"},
    {"server", "demo"},
    {"cli"},
    {"__main__"},
)
"""The packages and top-level modules, the lowest row first; ``__init__`` is the package ``rproxy`` itself."""

ROW_OF = {name: row for row, names in enumerate(ROWS) for name in names}
PURE = {"resp", "commands", "topology", "acl", "routing"}
IMPURE_MODULES = {"asyncio", "socket", "time", "random", "logging"}

# rproxy's own __init__ must choose between compiled and pure modules before any of them is imported.
ALLOWED_UPWARDS = {("__init__", "form")}

SOURCES = sorted(path for pattern in ("*.py", "*.pyx", "*.pxd") for path in ROOT.rglob(pattern))
CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", re.MULTILINE)


def imported_modules(path: Path) -> Iterator[str]:
    """The dotted names that the module imports, wherever in its text, for the type checker too."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from (first or second for first, second in CYTHON_IMPORT.findall(text))
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names = [alias.name for alias in node.names] if node.module == "rproxy" else [""]
            yield from (f"{node.module}.{name}".rstrip(".") for name in names)


def place_of(module: str) -> str | None:
    """The row entry of a dotted name, ``None`` for what is not rproxy's; names of the package itself count as that."""
    head, _, rest = module.partition(".")
    if head != "rproxy":
        return None
    name = rest.partition(".")[0]
    return name if name in ROW_OF or (name and (ROOT / name).is_dir()) else "__init__"


def own_place(path: Path) -> str:
    """The row entry of a source file: its package, or the name of a top-level module."""
    return path.relative_to(ROOT).parts[0].partition(".")[0]


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_package_and_module_has_a_row() -> None:
    assert SOURCES
    assert {own_place(path) for path in SOURCES} <= set(ROW_OF)


@pytest.mark.parametrize("path", SOURCES, ids=by_name)
def test_a_module_imports_only_from_lower_rows_or_its_own_package(path: Path) -> None:
    own = own_place(path)
    places = {place for module in imported_modules(path) if (place := place_of(module)) is not None} - {own}
    upwards = {place for place in places if ROW_OF[place] >= ROW_OF[own] and (own, place) not in ALLOWED_UPWARDS}
    assert not upwards, f"{own} (row {ROW_OF[own]}) imports {sorted(upwards)}"


@pytest.mark.parametrize("path", [path for path in SOURCES if own_place(path) in PURE], ids=by_name)
def test_a_pure_package_imports_no_clock_no_loop_and_no_chance(path: Path) -> None:
    assert not {module.partition(".")[0] for module in imported_modules(path)} & IMPURE_MODULES


@pytest.mark.parametrize("path", [path for path in SOURCES if own_place(path) == "demo"], ids=by_name)
def test_the_demo_knows_nothing_of_the_proxy_above_its_configuration(path: Path) -> None:
    places = {place_of(module) for module in imported_modules(path)} - {None, "demo"}
    assert all(ROW_OF[place] <= ROW_OF["config"] for place in places if place is not None)


def test_the_walk_sees_imports_of_every_kind(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        "import os.path\n"
        "from rproxy import __version__, form\n"
        "from rproxy.config.models import Config\n"
        "def late():\n    import rproxy.server.run\n"
    )
    compiled = tmp_path / "module.pyx"
    compiled.write_text("from rproxy.upstream.sink cimport Sink\ncimport cython\nimport time\n")
    assert [place_of(module) for module in imported_modules(source)] == [None, "__init__", "form", "config", "server"]
    assert list(imported_modules(compiled)) == ["rproxy.upstream.sink", "cython", "time"]
    assert place_of("rproxy.upstream.sink") == "upstream"
    assert place_of("rproxyish.upstream") is None
