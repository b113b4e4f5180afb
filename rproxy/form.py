"""Which form of the hot modules runs: compiled extensions, or the Python sources they are built from.

A hot module is an ordinary ``.py`` file; where a compiler was at hand an extension of the same name stands beside it
and Python's import prefers it. ``RPROXY_PURE=1`` makes the import take the sources instead, so that both forms can be
tested on one installation.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from types import ModuleType


class _SourceFinder(MetaPathFinder):
    """Finds rproxy's modules as their ``.py`` files, never as extensions."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's source where an extension would be found; whatever else is found as it is."""
        if not fullname.startswith("rproxy."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not spec.origin.endswith(tuple(EXTENSION_SUFFIXES)):
            return spec
        source = f"{spec.origin.partition('.cpython-')[0].removesuffix('.abi3.so')}.py"
        if not os.path.exists(source):
            raise ImportError(f"{fullname} has no pure form", name=fullname)
        return spec_from_file_location(fullname, source)


def force_pure_form() -> None:
    """Install the source finder if ``RPROXY_PURE=1`` is set."""
    if os.environ.get("RPROXY_PURE") == "1":
        sys.meta_path.insert(0, _SourceFinder())


def running_form() -> str:
    """``"compiled"`` or ``"pure"``: the form of the scanners this process runs."""
    from rproxy.resp import wire

    return "compiled" if str(wire.__file__).endswith(tuple(EXTENSION_SUFFIXES)) else "pure"
