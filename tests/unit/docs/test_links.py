"""Links in Markdown lead somewhere."""

from pathlib import Path

import pytest

from tests.support.markdown import ROOT, anchors, documents, targets


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_relative_links_lead_to_files_and_headings(document: Path) -> None:
    broken = []
    for target in targets(document.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        if not file.exists() or not file.is_relative_to(ROOT):
            broken.append(f"{target}: no such file")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            broken.append(f"{target}: no such heading")
    assert not broken


def test_the_documents_of_the_project_are_there() -> None:
    wanted = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/configuration.md"]
    assert set(wanted) <= {name_of(document) for document in documents()}


def test_every_decision_is_named_by_its_number() -> None:
    folder = ROOT / "docs/decisions"
    records = [path.name for path in folder.glob("*.md") if path.name != "README.md"]
    numbers = [name.partition("-")[0] for name in records]
    assert all(len(number) == 4 and number.isdigit() for number in numbers), records
    assert len(numbers) == len(set(numbers)), "two records have one number"
