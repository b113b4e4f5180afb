"""Writes the tables of configuration.md from the models: run ``python docs/configuration_tables.py`` when they change.

A table stands between ``<!-- keys: SECTION -->`` and ``<!-- end -->``, where SECTION is a path such as
``listeners[].limits``; the text around the tables is written by hand.
"""

import re
from pathlib import Path

from rproxy.config.keys import Key, keys

DOCUMENT = Path(__file__).with_name("configuration.md")
SHARED = ("request_mirror_policy[]", "tls")
"""Sections that several others hold; each is described once, under this heading."""
_TABLE = re.compile(r"(<!-- keys:(.*?)-->\n).*?(<!-- end -->)", re.DOTALL)


def heading_of(path: str) -> str:
    """The heading of a section in the document."""
    if path == "clusters[].tls":  # which is not what listeners and admin have under that name
        return path
    return next((shared for shared in SHARED if path.endswith(f".{shared}")), path)


def anchor_of(path: str) -> str:
    """The anchor of a section's heading, as code hosts derive it."""
    return re.sub(r"[^\w-]", "", heading_of(path))


def row(key: Key) -> str:
    """A key's line in the table of its section."""
    default = "required" if key.is_required else ""
    if key.default is not None:
        shown = str(key.default).lower() if isinstance(key.default, bool) else key.default
        default = f"`{shown}`"
    meaning = f"[{key.description.removesuffix('.')}](#{anchor_of(key.path)})" if key.is_section else key.description
    return f"| `{key.name}` | {default} | {' '.join(meaning.split())} |\n"


def table(section: str) -> str:
    """The table of a section; the empty path is the top level. Raises ``ValueError`` if there is no such section."""
    rows = [row(key) for key in keys() if key.parent == section]
    if not rows:
        raise ValueError(f"no section {section}")
    return "| key | default | meaning |\n|---|---|---|\n" + "".join(rows)


def updated(text: str) -> str:
    """The document with its tables as the models have them now."""
    return _TABLE.sub(lambda found: found[1] + table(found[2].strip()) + found[3], text)


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text()))
