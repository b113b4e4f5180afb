"""Both forms of a hot module side by side: the Python source, and the extension where it was built."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SourceFileLoader
from pathlib import Path
from types import ModuleType

import rproxy

_ROOT = Path(rproxy.__file__).parent


def load_source(name: str) -> ModuleType:
    """The module ``rproxy.<name>`` from its ``.py`` file, beside the one that is imported."""
    alias = f"source_form_{name.replace('.', '_')}"
    if alias not in sys.modules:
        path = _ROOT.joinpath(*name.split(".")).with_suffix(".py")
        spec = importlib.util.spec_from_loader(alias, SourceFileLoader(alias, str(path)))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[alias] = module
        spec.loader.exec_module(module)
    return sys.modules[alias]


def forms(name: str) -> list[ModuleType]:
    """The forms of ``rproxy.<name>`` that this run can test: the source, and the extension where that is imported."""
    imported = importlib.import_module(f"rproxy.{name}")
    is_compiled = str(imported.__file__).endswith(tuple(EXTENSION_SUFFIXES))
    return [load_source(name), imported] if is_compiled else [imported]
