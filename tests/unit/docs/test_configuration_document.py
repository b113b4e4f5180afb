"""docs/configuration.md has every key of the models, as the models have it."""

import re
import runpy

import pytest

from rproxy.config.keys import keys
from rproxy.topology.read_policy import ReadPolicy
from tests.support.markdown import ROOT

TABLES = runpy.run_path(str(ROOT / "docs/configuration_tables.py"))
TEXT = (ROOT / "docs/configuration.md").read_text()


def test_tables_are_those_of_the_models() -> None:
    assert TABLES["updated"](TEXT) == TEXT, "run: python docs/configuration_tables.py"


@pytest.mark.parametrize("section", sorted({key.parent for key in keys()}))
def test_every_section_has_its_heading_and_table(section: str) -> None:
    heading = TABLES["heading_of"](section)
    assert f"\n## `{heading}`\n" in TEXT if section else "\n## Top level\n" in TEXT
    shown = {TABLES["heading_of"](marker.strip()) for marker in re.findall(r"<!-- keys:(.*?)-->", TEXT)}
    assert heading in shown


def test_every_key_has_a_meaning() -> None:
    assert [key.path for key in keys() if not key.description] == []


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section listeners"):
        TABLES["updated"]("<!-- keys: listeners -->\n<!-- end -->")


def test_every_read_policy_is_explained() -> None:
    rows = TEXT.partition("| `read_policy` | reads go to |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \| ", rows, re.MULTILINE) == [policy.value for policy in ReadPolicy]
